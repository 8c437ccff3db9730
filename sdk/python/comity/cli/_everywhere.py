"""Every place where the reference registry can be certified on this machine: each broker, and each journal.

Responsible for having the brokers there, and for naming those that are not. Not responsible for what is run there.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from comity.cli._reference import as_process, in_process
from comity.sdk.errors import ConfigError

if TYPE_CHECKING:
    from comity.conformance import LiveTarget

__all__ = ["places"]

_EMBEDDED: Final = "memory://certify"
# what else than a file can order a service's writes on a broker; with {url} that of the broker
_JOURNALS: Final[dict[str, dict[str, str]]] = {
    "kafka": {"kafka": "kafka:{url}/certify"},
    "nats": {"jetstream": "jetstream:{url}/certify"},
}


def places(stack: ExitStack, namespace: str, plans: int) -> tuple[list[LiveTarget], list[str]]:
    """Where to certify, and what could not be had and why. The brokers run as long as `stack` is open.

    The embedded transport with a journal in memory; each broker with a service as a process of its own, its journal in
    sqlite; each other journal, where the service is only compared with the simulation. Raises `ConfigError` where
    COMITY_REQUIRE_ALL=1 and something is missing.
    """
    from comity.conformance import LiveTarget

    embedded = in_process(_EMBEDDED, namespace)
    found = [LiveTarget(_EMBEDDED, namespace=namespace, plans=plans, serve=embedded)]
    urls, missing = _brokers(stack)
    for name, url in urls.items():
        found.append(LiveTarget(url, namespace=namespace, plans=plans, serve=as_process(url, namespace)))
        for journal, place in _JOURNALS.get(name, {}).items():
            own = f"{namespace}-{journal}"
            serve = as_process(url, own, place.format(url=url))
            found.append(LiveTarget(url, namespace=own, plans=0, serve=serve, journal=journal))
    return found, missing


def _brokers(stack: ExitStack) -> tuple[dict[str, str], list[str]]:
    from comity.transports.brokers import names, running

    urls: dict[str, str] = {}
    missing: list[str] = []
    for name in names():
        try:
            urls[name] = stack.enter_context(running(name)).url
        except ConfigError as error:
            if os.environ.get("COMITY_REQUIRE_ALL") == "1":
                raise ConfigError(f"COMITY_REQUIRE_ALL=1, but {error}") from error
            missing.append(f"NOT RUN on {name}: {error}")
    return urls, missing
