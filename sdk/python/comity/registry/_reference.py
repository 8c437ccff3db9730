"""The reference implementation behind the driver protocol, as the conformance suite meets a stranger's.

Responsible for making endpoints from what a `Start` says. Not responsible for the protocol between the two.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from comity.sdk.driver import Host, StartInfo, host
from comity.sdk.errors import ConfigError
from comity.sdk.ports import Effect, Notify

from ._core.dedup import RETENTION_MS
from .client import RegistryClient
from .service import RegistryService

__all__ = ["reference"]


def reference() -> Host:
    """A handler of driver lines that plays the roles of the registry family.

    The target string of the suite is `python:comity.registry:reference`.
    """
    try:
        release = version("comity")
    except PackageNotFoundError:
        release = "0"
    implementation = {"name": "comity-registry", "version": release, "language": "python"}
    return host({"registry": _service, "agent": _agent}, implementation=implementation, features=["signed"])


def _service(start: StartInfo) -> RegistryService:
    return RegistryService(
        namespace=start.namespace,
        identity=start.identity,
        entropy=start.entropy,
        profile=start.profile,
        incarnation=start.incarnation,
        history=_whole(start, "history", 10_000),
        max_pending=_whole(start, "max_pending", 4096),
        retention_ms=_whole(start, "retention_ms", RETENTION_MS),
    )


class _BriefClient(RegistryClient):
    """A client whose notifications fit into the driver's `Map`: entries in them are told by agent and revision."""

    def take_effects(self) -> list[Effect]:
        """Hand over the effects, with notifications made brief."""
        return [
            Notify(effect.event, {name: _brief(name, value) for name, value in effect.data.items()})
            if isinstance(effect, Notify)
            else effect
            for effect in super().take_effects()
        ]


def _brief(name: str, value: Any) -> Any:
    if name == "changes":
        return [{key: inner for key, inner in change.items() if key != "entry"} for change in value]
    if name == "data":
        return {key: _brief(key, inner) for key, inner in value.items()}
    if name == "entry":
        return {"agent": value["agent"], "epoch": value["epoch"], "revision": value["revision"]}
    return [entry["agent"] for entry in value] if name == "entries" else value


def _agent(start: StartInfo) -> RegistryClient:
    return _BriefClient(
        namespace=start.namespace,
        identity=start.identity,
        entropy=start.entropy,
        profile=start.profile,
        stored=start.stored,
    )


def _whole(start: StartInfo, name: str, default: int) -> int:
    value = start.parameters.get(name, default)
    if type(value) is not int or value < 1:
        raise ConfigError(f"parameter {name} is {value!r}, and a whole number from 1 is wanted")
    return value
