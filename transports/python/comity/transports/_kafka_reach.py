# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Finding a Kafka server that answers and admits us, and saying why none does.

Responsible for the first contact and for the words of errors. Not responsible for the clients that follow:
aiokafka's tell only that they could not start.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiokafka import errors as native
from aiokafka.conn import CloseReason, create_conn, get_ip_port_afi
from aiokafka.protocol.metadata import MetadataRequest

from comity.transports._kafka_url import Settings
from comity.transports._tls import untrusted

__all__ = ["advice", "first_to_answer", "told"]

_LACKS: Final = "these credentials lack a permission there: grant it"


async def first_to_answer(settings: Settings, servers: Iterable[str]) -> str:
    """The first of `servers` to answer, all being asked at once.

    Where none does it raises what the most telling of them said: one that refuses us before one that is away.
    """
    asked = [asyncio.get_running_loop().create_task(_greet(settings, server)) for server in servers]
    said: list[Exception] = []
    try:
        for answer in asyncio.as_completed(asked):
            try:
                return await answer
            except (native.KafkaError, OSError, TimeoutError) as error:
                said.append(error)
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    raise min(said, key=_vagueness)


async def _greet(settings: Settings, server: str) -> str:
    """Return `server` once it has told of its cluster."""
    host, port, _ = get_ip_port_afi(server)
    try:
        connection = await create_conn(
            host, port, request_timeout_ms=int(settings.timeout * 1000), **settings.security
        )
    except native.UnsupportedSaslMechanismError:
        raise native.UnsupportedSaslMechanismError(f"{server} does not offer {settings.mechanism}") from None
    except native.IllegalSaslStateError:
        raise native.IllegalSaslStateError(f"{server} takes no credentials") from None
    except ssl.SSLError:
        raise
    except ValueError as error:  # a server that cannot prove that it knows the password
        raise native.SaslAuthenticationFailed(f"{server} is not whom it claims to be: {error}") from error
    try:
        await connection.send(MetadataRequest([]))
    finally:
        closed: Any = connection.close(reason=CloseReason.SHUTDOWN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(settings.timeout):
                await asyncio.shield(closed)
    return server


def _vagueness(error: BaseException) -> int:
    if any(isinstance(one, native.SaslAuthenticationFailed | ssl.SSLError) for one in _causes(error)):
        return 0
    return 2 if isinstance(error, native.KafkaConnectionError | OSError | TimeoutError) else 1


def told(error: BaseException) -> str:
    """What `error` says, or the error of the network behind it."""
    *_, first = _causes(error)
    return str(first if isinstance(first, OSError) else error) or type(error).__name__


def advice(error: BaseException) -> str:
    """What to do about an error of aiokafka or of the network."""
    causes = list(_causes(error))
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            return untrusted(one, "broker")
    for kinds, text in _ADVICE:
        if any(isinstance(one, kinds) for one in causes):
            return text
    return "see the broker's log"


def _causes(error: BaseException) -> Iterator[BaseException]:
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__


_NOBODY: Final = "no Kafka broker answers there: start one (comity brokers up kafka) or correct the URL"
_ADVICE: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    (native.TopicAuthorizationFailedError, _LACKS),
    (native.GroupAuthorizationFailedError, _LACKS),
    (
        native.ClusterAuthorizationFailedError,
        "these credentials lack a permission on the cluster: grant it, or make the topics as somebody who may",
    ),
    (
        (native.NotEnoughReplicasError, native.NotEnoughReplicasAfterAppendError),
        "too few brokers are up to keep it safely: see whether they are",
    ),
    (
        native.SaslAuthenticationFailed,
        "the broker refuses these credentials: correct user and password in the URL, or choose with ?sasl=",
    ),
    (
        native.UnsupportedSaslMechanismError,
        "choose what the broker offers: ?sasl=plain, scram-sha-256 or scram-sha-512",
    ),
    (native.IllegalSaslStateError, "leave USER:PASSWORD@ out, or name a port that wants it"),
    (
        ssl.SSLError,
        "TLS failed: see whether that port speaks it, and check ?ca=, ?cert= and ?key= against what the broker asks for",
    ),
    (
        (asyncio.IncompleteReadError, ConnectionResetError, BrokenPipeError),
        "the broker hung up: it may want TLS (kafkas://), credentials (USER:PASSWORD@) or a certificate (?cert=)",
    ),
    ((native.KafkaConnectionError, OSError), _NOBODY),
)
