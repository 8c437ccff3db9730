"""The reference implementation behind the driver protocol, as the conformance suite meets a stranger's.

Responsible for making endpoints from what a `Start` says. Not responsible for the protocol between the two.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from comity.sdk.driver import Host, StartInfo, host
from comity.sdk.errors import ConfigError

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
    return host({"registry": _service}, implementation=implementation, features=["signed"])


def _service(start: StartInfo) -> RegistryService:
    return RegistryService(
        namespace=start.namespace,
        identity=start.identity,
        entropy=start.entropy,
        profile=start.profile,
        incarnation=start.incarnation,
        history=_whole(start, "history", 10_000),
        max_pending=_whole(start, "max_pending", 4096),
    )


def _whole(start: StartInfo, name: str, default: int) -> int:
    value = start.parameters.get(name, default)
    if type(value) is not int or value < 1:
        raise ConfigError(f"parameter {name} is {value!r}, and a whole number from 1 is wanted")
    return value
