"""Real brokers on loopback, for tests and for users: `up`, `status`, `down`, and `running` for a block.

Responsible for which brokers were started here, and for ending only those. Not responsible for how one is started
(`_broker_nodes.py`, with a module for each kind of server), nor for the file that remembers them
(`_broker_state.py`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from comity.sdk.errors import ConfigError
from comity.transports import _broker_nodes
from comity.transports._broker_nodes import SERVERS, Node, Running, check
from comity.transports._broker_state import held

__all__ = ["Broker", "BrokerNode", "Node", "Running", "down", "names", "running", "status", "up"]


class Broker:
    """A broker for the length of a block: it, or each of its `nodes`, can be killed and started again as it was."""

    def __init__(self, now: Running) -> None:
        self._now = now
        self.nodes = tuple(BrokerNode(self, index) for index in range(len(now.nodes)))

    @property
    def now(self) -> Running:
        """What runs, or ran last."""
        return self._now

    @property
    def url(self) -> str:
        """Where to connect, all nodes in it; the same after a restart."""
        return self._now.url

    @property
    def serves(self) -> bool:
        """Whether what is published comes back; with several nodes, what is replicated, from each of them."""
        return _broker_nodes.serves(self._now)

    def kill(self, *numbers: int) -> None:
        """End it, or the nodes of those numbers (from 1), as `kill -9` does."""
        _broker_nodes.end(self._now, numbers or None, kill=True)

    def stop(self, *numbers: int) -> None:
        """End it, or the nodes of those numbers, as an operator does."""
        _broker_nodes.end(self._now, numbers or None)

    def restart(self, *numbers: int) -> None:
        """Start it, or those nodes, again on the same ports and files; ended first where they still run.

        Once all nodes run, it returns when they serve together. Raises `TransportError` when they do not come up.
        """
        self._now = _broker_nodes.again(self._now, numbers or [node.number for node in self._now.nodes])


class BrokerNode:
    """One node of a broker."""

    def __init__(self, broker: Broker, index: int) -> None:
        self._broker = broker
        self._index = index

    @property
    def now(self) -> Node:
        """What runs there, or ran last."""
        return self._broker.now.nodes[self._index]

    def kill(self) -> None:
        """See `Broker.kill`."""
        self._broker.kill(self.now.number)

    def stop(self) -> None:
        """See `Broker.stop`."""
        self._broker.stop(self.now.number)

    def restart(self) -> None:
        """See `Broker.restart`."""
        self._broker.restart(self.now.number)


def names() -> list[str]:
    """The brokers that can be started."""
    return sorted(SERVERS)


@contextmanager
def running(
    name: str, config: str = "", *, nodes: int = 1, tls: bool = False
) -> Generator[Broker, None, None]:
    """A broker of its own for the length of the block, with temporary files, of 1 or 3 nodes.

    `config` is added to each node's own configuration file; `tls` as with `up`. Raises `ConfigError` for an unknown
    broker, a shape that it cannot have, or one that cannot be had here, `TransportError` when it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="comity-", ignore_cleanup_errors=True) as directory:
        broker = Broker(_broker_nodes.start(name, Path(directory), nodes=nodes, tls=tls, config=config))
        try:
            yield broker
        finally:
            broker.stop()


def up(wanted: Iterable[str], *, nodes: int = 1, tls: bool = False) -> list[Running]:
    """Start those brokers, or find them already running; ready when it returns. Nodes that died are started again.

    With `tls` an authority is made for each, which `?ca=FILE` in its URL names. Raises `ConfigError` where one cannot
    be had here or in that shape, or runs in another one.
    """
    wanted = list(wanted)
    with held() as state:
        for name in wanted:
            check(name, nodes)
            _check_shape(state.get(name), nodes=nodes, tls=tls)
        for name in wanted:
            state[name] = _up(name, state.get(name), nodes=nodes, tls=tls)
        return [state[name] for name in wanted]


def down(wanted: Iterable[str]) -> list[Running]:
    """End those of them that run, delete their files, and return what was ended."""
    wanted = list(wanted)
    for name in wanted:
        check(name, 1)
    with held() as state:
        found = [state.pop(name) for name in wanted if name in state]
        ended = [one for one in found if one.alive]
        for one in found:
            _discard(one)
        return ended


def status() -> list[Running]:
    """What `up` started and still runs, with at least one node."""
    with held() as state:
        return [one for one in state.values() if one.alive]


def _check_shape(known: Running | None, *, nodes: int, tls: bool) -> None:
    if known is not None and known.alive and (len(known.nodes), known.tls) != (nodes, tls):
        raise ConfigError(
            f"{known.name} runs with {_shape(len(known.nodes), known.tls)}, and {_shape(nodes, tls)} is asked for: "
            f"end it first with comity brokers down {known.name}"
        )


def _shape(nodes: int, tls: bool) -> str:
    return f"--nodes {nodes} {'and' if tls else 'without'} --tls"


def _up(name: str, known: Running | None, *, nodes: int, tls: bool) -> Running:
    if known is not None and known.alive:
        dead = [node.number for node in known.nodes if not node.alive]
        return _broker_nodes.again(known, dead) if dead else known
    if known is not None:
        _discard(known)
    directory = Path(tempfile.mkdtemp(prefix=f"comity-{name}-"))
    try:
        return _broker_nodes.start(name, directory, nodes=nodes, tls=tls, config="")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _discard(one: Running) -> None:
    _broker_nodes.end(one)
    shutil.rmtree(one.data, ignore_errors=True)
