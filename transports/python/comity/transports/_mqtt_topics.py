"""What is asked of an MQTT broker, and what is to be withdrawn from it, whichever connection there is.

Responsible for putting both in force over a new connection, in few round trips however many there are. Not
responsible for what arrives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from comity.sdk.errors import TransportError
from comity.transports._mqtt_refusals import refusal
from comity.transports._mqtt_wire import subscribe, unsubscribe

__all__ = ["Topics"]

_log = logging.getLogger(__name__)
_Ask = Callable[[Callable[[int], bytes]], Awaitable[bytes]]


class Topics:
    """Topic filters by subscription identifier, at the broker that is `shown` so; `on_refusal` is told what it ended."""

    def __init__(self, shown: str, on_refusal: Callable[[int], None]) -> None:
        self._shown = shown
        self._on_refusal = on_refusal
        self._asked: dict[int, tuple[str, int]] = {}
        self._left: set[str] = set()

    def __contains__(self, identifier: int) -> bool:
        return identifier in self._asked

    @property
    def identifiers(self) -> list[int]:
        """Those that are asked for."""
        return list(self._asked)

    def ask(self, identifier: int, topic: str, qos: int) -> None:
        """From now on it is asked for over each connection."""
        self._asked[identifier] = topic, qos
        self._left.discard(topic)

    def leave(self, identifier: int) -> str | None:
        """It is asked for no more, and withdrawn over the next connection unless `withdrawn` before; the filter."""
        topic, _ = self._asked.pop(identifier, (None, 0))
        if topic is not None:
            self._left.add(topic)
        return topic

    def withdrawn(self, topic: str) -> None:
        """The broker has confirmed that it sends nothing more for it."""
        self._left.discard(topic)

    def check(self, topic: str, codes: bytes) -> None:
        """Raises `TransportError` where the broker answered a SUBSCRIBE with a refusal."""
        if codes and codes[0] >= 0x80:
            raise TransportError(refusal(f"{self._shown}: subscription to {topic!r}", codes[0]))

    async def restore(self, ask: _Ask, *, resumed: bool) -> None:
        """Over a new connection, ask for each anew; one that is refused by now ends, and the others go on.

        What was left while there was none is withdrawn where the session was `resumed`, as is what is refused.
        """
        if not resumed:
            self._left.clear()
        asked = self._asked.copy()
        answers = await asyncio.gather(
            *(
                ask(partial(subscribe, identifier=identifier, topic=topic, qos=qos, retained=False))
                for identifier, (topic, qos) in asked.items()
            )
        )
        for (identifier, (topic, _)), codes in zip(asked.items(), answers, strict=True):
            try:
                self.check(topic, codes)
            except TransportError as error:
                _log.error("%s; it has ended", error)
                self.leave(identifier)
                self._on_refusal(identifier)
        await self._withdraw(ask)

    async def _withdraw(self, ask: _Ask) -> None:
        while left := list(self._left):  # more may be left meanwhile
            await asyncio.gather(*(ask(partial(unsubscribe, topic=topic)) for topic in left))
            self._left.difference_update(left)
