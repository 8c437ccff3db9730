# pyright: basic
# nats-py is only partly typed.
"""What a NATS server refuses: publishing, of which somebody is to be told, and subscriptions, which are asked for again.

Responsible for keeping refusals within bounds, and for the words that say what to do. Not responsible for raising them.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

import nats.errors

from comity.sdk.errors import ConfigError
from comity.transports._nats_native import Native
from comity.transports._tls import untrusted

if TYPE_CHECKING:
    from comity.transports._nats_credentials import Credentials

__all__ = ["DENIED", "Deaf", "Denied", "advice", "at_once", "login_advice"]

_log = logging.getLogger(__name__)
DENIED: Final = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"(?:.*sid "(\d+)")?')
"""What nats-py, which writes all in small letters, makes of a refusal: of what, the subject, the subscription."""
_AT_ONCE = re.compile(r"MaxRequestBatch of ([1-9]\d*)")
_MOST: Final = 1024  # subjects; what was refused first is forgotten first, and counted
_AGAIN: Final = 5.0  # seconds between two attempts at a subscription that is not permitted


class Denied:
    """Refusals of publishing, by subject, until somebody is told of them."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}
        self._forgotten = 0

    def __len__(self) -> int:
        return len(self._said)

    def note(self, subject: str, said: str) -> None:
        """Keep what the server `said`."""
        if subject not in self._said and len(self._said) >= _MOST:
            del self._said[next(iter(self._said))]
            self._forgotten += 1
        self._said[subject] = said

    def of(self, subject: str) -> str | None:
        """What was said of `subject`, once."""
        return self._said.pop(subject.lower(), None)

    def beginning(self, start: str) -> str | None:
        """What was said of one of the subjects that begin with `start`, once."""
        return self.of(next((subject for subject in self._said if subject.startswith(start)), ""))

    def all(self) -> str | None:
        """What was said first, and how much else, once."""
        if not self._said:
            return None
        first, more = next(iter(self._said.values())), len(self._said) - 1 + self._forgotten
        self._said.clear()
        self._forgotten = 0
        return f"{first} (and {more} more)" if more else first


class Deaf:
    """Subscriptions that are not permitted any more; they are asked for again, so that they hear once they are."""

    def __init__(self, client: Native, shown: str) -> None:
        self._client = client
        self._shown = shown
        self._said: dict[int, str] = {}
        self._tried: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None

    def note(self, subject: str, sid: str | None, said: str, *, quietly: bool) -> None:
        """Keep what the server `said` of one subscription, or of all to that subject; an error is logged at the first."""
        of_subject = (one for one, each in self._client._subs.items() if each._subject.lower() == subject)
        refused = of_subject if sid is None else iter((int(sid),))
        for one in list(refused):
            if one not in self._said and not quietly:
                _log.error(
                    "%s: %s: nothing arrives there until it is granted again, which is tried every %g s",
                    self._shown,
                    said,
                    _AGAIN,
                )
            self._said[one] = said
            self._tried.discard(one)
        self._schedule()

    def of(self, sid: int) -> str | None:
        """What was said of that subscription."""
        return self._said.get(sid)

    def forget(self, sids: Iterable[int]) -> None:
        """Ask no more for these."""
        for sid in list(sids):
            self._said.pop(sid, None)
            self._tried.discard(sid)

    def stop(self) -> None:
        """Ask no more."""
        self.forget(self._said)
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        if self._said and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_AGAIN, self._ask)

    def _ask(self) -> None:
        self._timer = None
        if self._client.is_closed:
            self.forget(self._said)
        elif self._client.is_connected:
            for sid in self._tried:  # and of which nothing was said since
                _log.info("%s: heard again after %s", self._shown, self._said[sid])
            self.forget(self._tried)
            self.forget(self._said.keys() - self._client._subs.keys())
            for sid in self._said:
                self._client.renew(self._client._subs[sid])
                self._tried.add(sid)
        else:
            self._tried.clear()  # a connection made anew asks for all
        self._schedule()


def at_once(headers: Mapping[str, str], most: int) -> int:
    """How many messages may be asked for at once, `most` unless a refusal with these `headers` says less."""
    said = _AT_ONCE.search(headers.get("Description", ""))
    return min(most, int(said[1])) if said else most


def login_advice(credentials: Credentials | None) -> str:
    """What to do where the server does not let us in."""
    if credentials is None:
        return "the server refuses these credentials: correct user and password, or the token, in the URL"
    try:
        return credentials.advice()
    except ConfigError as error:  # its file is gone, or holds something else by now
        return str(error)


def advice(error: Exception) -> str:
    """What to do about an error of nats-py or of the network."""
    if isinstance(error.__cause__, ConfigError):
        return "correct that file"
    if isinstance(error, ssl.SSLCertVerificationError):
        return untrusted(error, "server")
    if isinstance(error, ssl.SSLError):
        return "TLS failed: check ?ca=, ?cert= and ?key= against what the server asks for"
    if isinstance(error, TimeoutError):
        return "no answer in time: check that a NATS server listens there"
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there: start a server (comity brokers up nats) or correct the URL"
    if isinstance(error, ConnectionError | nats.errors.UnexpectedEOF):
        return "the server hung up: if it asks for a client certificate, name it with ?cert=FILE&key=FILE"
    if isinstance(error, OSError):
        return "it cannot be reached: correct the URL or the network"
    return "see the server's log"
