"""Requests of the user on their way to an endpoint and back: from a ticket to whoever waits for it.

Responsible for tickets, deadlines and errors. Not responsible for what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from comity.sdk.errors import ComityError, LocalProtocolError, Refused, TimedOut
from comity.sdk.ports import Json, Notify
from comity.sdk.session import Session
from comity.sdk.spec import load

__all__ = ["Calls", "refused"]

Handler = Callable[[str, Mapping[str, Any]], None]


def refused(data: Mapping[str, Any]) -> Refused:
    """The error for a refusal; a code that nobody specified may have happened and is not retried."""
    code: str = data["code"]
    row = load("registry").errors.get(code)
    definite, retry = (row.outcome == "definite", row.retry) if row else (False, "never")
    return Refused(code, definite=definite, retry=retry, pointer=data.get("pointer"))


class Calls:
    """Runs commands of one session and hands notifications to those who wait for them."""

    def __init__(self, where: str, timeout_ms: int) -> None:
        self._where = where
        self._timeout = timeout_ms / 1000
        self._session: Session | None = None
        self._ticket = 0
        self._handlers: dict[int, Handler] = {}
        self._failure: BaseException | None = None

    def attach(self, session: Session) -> None:
        """Run on `session` from now on."""
        self._session = session

    def notify(self, notice: Notify) -> None:
        """The endpoint tells its user something."""
        handler = self._handlers.get(notice.data.get("ticket"))  # type: ignore[arg-type]
        if handler is not None:
            handler(notice.event, notice.data)

    def fail(self, error: BaseException) -> None:
        """Nothing will be told any more; all who wait learn why."""
        self._failure = error
        for handler in list(self._handlers.values()):
            handler("failed", {"error": error})

    def begin(self, command: str, args: Mapping[str, Json], handler: Handler) -> int:
        """Run a command whose notifications go to `handler` until `end`; its ticket."""
        if self._failure is not None:
            raise self._failure
        if self._session is None:
            raise LocalProtocolError("the mesh is not connected: use `async with Mesh.connect(…)`")
        self._ticket += 1
        self._handlers[self._ticket] = handler
        try:
            self._session.command(command, {**args, "ticket": self._ticket})
        except BaseException:
            self.end(self._ticket)
            raise
        return self._ticket

    def again(self, command: str, ticket: int) -> None:
        """Run a command under a ticket that is known already."""
        if self._session is not None and self._failure is None:
            self._session.command(command, {"ticket": ticket})

    def end(self, ticket: int) -> None:
        """Hand out nothing more under `ticket`."""
        self._handlers.pop(ticket, None)

    async def ask(
        self,
        command: str,
        args: Mapping[str, Json],
        *,
        done: str = "answered",
        then: Handler | None = None,
        undo: str | None = None,
    ) -> Mapping[str, Any]:
        """Run a command and wait for its outcome: the data of the notification `done`.

        Raises `Refused` or `TimedOut`. What is told under the ticket later goes to `then`. `undo` is the command that
        ends what `command` began, for when nobody waits for it any more.
        """
        outcome: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()

        def handler(event: str, data: Mapping[str, Any]) -> None:
            if outcome.done():
                if then is not None:
                    then(event, data)
            elif event == done:
                outcome.set_result(data)
            elif event == "failed":
                outcome.set_exception(data["error"])
            elif event in ("refused", "lost"):
                outcome.set_exception(refused(data))
            elif event == "timed_out":
                outcome.set_exception(self._timed_out(command))

        ticket = self.begin(command, args, handler)
        try:
            async with asyncio.timeout(self._timeout + 0.5):
                data = await outcome
        except BaseException as error:
            self._give_up(ticket, undo)
            if isinstance(error, TimeoutError):
                raise self._timed_out(command) from None
            raise
        if then is None:
            self.end(ticket)
        return data

    def _give_up(self, ticket: int, undo: str | None) -> None:
        self.end(ticket)
        if undo is not None:
            with suppress(ComityError):  # it may be over already
                self.again(undo, ticket)

    @property
    def timeout_ms(self) -> int:
        """How long a request may take."""
        return round(self._timeout * 1000)

    def _timed_out(self, command: str) -> TimedOut:
        return TimedOut(
            f"no registry answered {command!r} on {self._where} within {self._timeout:g} s. "
            "Is one running there? `comity serve registry` starts one, and memory://NAME?serve=registry brings its own"
        )
