"""`comity brokers`: starts, stops and lists real brokers through `comity.transports.brokers`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from comity.cli._output import document, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comity.transports.brokers import Running

__all__ = ["down_command", "status_command", "up_command"]


def up_command(names: Sequence[str], *, nodes: int, tls: bool, as_json: bool) -> int:
    """Start each named broker that is not up and print where they are."""
    from comity.transports import brokers

    return _show(brokers.up(list(names), nodes=nodes, tls=tls), as_json=as_json)


def down_command(names: Sequence[str], *, as_json: bool) -> int:
    """Stop the named brokers, or all, that were started by us."""
    from comity.transports import brokers

    return _show(brokers.down(list(names) or [each.name for each in brokers.status()]), as_json=as_json)


def status_command(names: Sequence[str], *, as_json: bool) -> int:
    """Print the brokers that are up."""
    from comity.transports import brokers

    return _show([each for each in brokers.status() if not names or each.name in names], as_json=as_json)


def _show(running: Sequence[Running], *, as_json: bool) -> int:
    if as_json:
        document([asdict(each) for each in running])
    else:
        table(
            ["broker", "url", "pid", "version"], [(r.name, r.url, _processes(r), r.version) for r in running]
        )
    return 0


def _processes(broker: Running) -> str:
    """The processes of its nodes; where some live, one that died says so."""
    ended = not broker.alive
    return ",".join(str(node.pid) if ended or node.alive else "dead" for node in broker.nodes)
