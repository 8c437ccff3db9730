"""Messages at QoS 1 that arrived over an MQTT connection and are not confirmed yet.

Responsible for confirming each over the connection that it came by, and for how many hold the window. Not responsible
for who has them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from comity.transports._mqtt_link import Link
from comity.transports._mqtt_wire import acknowledge

__all__ = ["InHand"]


class InHand:
    """By packet identifier; `current` is the link that there is now, and the broker sends at most `window`."""

    def __init__(self, window: int, current: Callable[[], Link | None]) -> None:
        self._window = window
        self._current = current
        self._packets: set[int] = set()

    @property
    def is_full(self) -> bool:
        """Whether the broker may send nothing at QoS 1 until something is confirmed."""
        return len(self._packets) >= self._window

    def begin(self) -> None:
        """There is a new connection: the broker sends again what was not confirmed."""
        self._packets.clear()

    def confirmation(self, packet: int) -> Callable[[], None]:
        """Confirms a message at QoS 1; does nothing once what it came over is gone, as the broker sends it again."""
        self._packets.add(packet)
        return partial(self._confirm, packet, self._current())

    def _confirm(self, packet: int, link: Link | None) -> None:
        if link is not None and self._current() is link:
            self._packets.discard(packet)
            link.send(acknowledge(packet))
