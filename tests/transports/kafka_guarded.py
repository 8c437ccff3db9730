# pyright: basic
# aiokafka is not typed.
"""A Kafka broker that guards itself: listeners with TLS and credentials, users, and permissions per topic.

Responsible for one process that has all of them, so that the tests of security share it. Not responsible for what is
tried on it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.protocol.admin import CreateAclsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    CompactArray,
    CompactBytes,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

from comity.sdk.errors import TransportError
from comity.transports import connect
from comity.transports.brokers import Broker
from tests.conftest import broker_or_policy
from tests.transports.certificates import Authority
from tests.transports.harness import frame

PASSWORD = "p@ss/w:ord,%"
QUOTED = "p%40ss%2Fw%3Aord%2C%25"
LISTENERS = {
    "SASL": "SASL_PLAINTEXT",
    "TLS": "SSL",
    "EXPIRED": "SSL",
    "MUTUAL": "SSL",
    "BOTH": "SASL_SSL",
}
READ, WRITE, DESCRIBE = 3, 4, 8
TOPIC, GROUP = 2, 3
MAY = {  # what bob may do, by the channel of the namespace `guarded`
    "open": (READ, WRITE, DESCRIBE),
    "mute": (READ, DESCRIBE),
    "secret": (WRITE, DESCRIBE),
    "hidden": (),
}
SPACE = "guarded.test.v1"


@dataclass(frozen=True)
class Guarded:
    """The broker, where each of its listeners is, and who vouches for it."""

    broker: Broker
    ports: dict[str, int]
    authority: Authority

    def url(self, listener: str, credentials: str = "", query: str = "") -> str:
        """The URL of a listener, as somebody."""
        scheme = "kafkas" if "SSL" in LISTENERS[listener] else "kafka"
        ca = f"?ca={self.authority.file}" if scheme == "kafkas" else "?"
        at = f"{credentials}@" if credentials else ""
        return f"{scheme}://{at}127.0.0.1:{self.ports[listener]}{ca}&{query}".rstrip("&?")


@contextmanager
def guarded_broker(directory: Path) -> Generator[Guarded, None, None]:
    """The broker for the block. It knows anna, who may everything, and bob; anybody may on listeners without SASL."""
    authority, ports = Authority(directory), _free_ports()
    config = _config(directory, authority, ports)
    with broker_or_policy("kafka", config) as broker:
        guarded = Guarded(broker, ports, authority)
        asyncio.run(_prepare(guarded))
        yield guarded


def _free_ports() -> dict[str, int]:
    with ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in LISTENERS}
        for one in sockets.values():
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in sockets.items()}


def _config(directory: Path, authority: Authority, ports: dict[str, int]) -> str:
    own = ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())
    protocols = ",".join(f"{name}:{protocol}" for name, protocol in LISTENERS.items())
    lines = [
        f"listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{peer}},{own}",
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},{own}",
        f"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}",
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users=User:ANONYMOUS;User:anna;User:CN=client",
        f"ssl.truststore.type=PEM\nssl.truststore.location={authority.file}",
        "listener.name.mutual.ssl.client.auth=required",
    ]
    for name, protocol in LISTENERS.items():
        prefix = f"listener.name.{name.lower()}"
        if "SSL" in protocol:
            store = _store(directory, *authority.issue(name.lower(), days=-1 if name == "EXPIRED" else 1))
            lines.append(f"{prefix}.ssl.keystore.type=PEM\n{prefix}.ssl.keystore.location={store}")
        if "SASL" in protocol:
            lines += _logins(prefix)
    return "\n" + "\n".join(lines) + "\n"


def _store(directory: Path, certificate: Path, key: Path) -> Path:
    store = directory / f"{certificate.stem}-store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    return store


def _logins(prefix: str) -> list[str]:
    modules = "org.apache.kafka.common.security"
    users = " ".join(f'user_{name}="{PASSWORD}"' for name in ("anna", "bob"))
    return [
        f"{prefix}.sasl.enabled.mechanisms="
        + ("PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" if prefix.endswith("sasl") else "SCRAM-SHA-512"),
        f"{prefix}.plain.sasl.jaas.config={modules}.plain.PlainLoginModule required {users};",
        f"{prefix}.scram-sha-256.sasl.jaas.config={modules}.scram.ScramLoginModule required;",
        f"{prefix}.scram-sha-512.sasl.jaas.config={modules}.scram.ScramLoginModule required;",
    ]


async def _prepare(guarded: Guarded) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=guarded.broker.url.removeprefix("kafka://"))
    await admin.start()
    try:
        made: Any = await admin.create_topics([NewTopic(f"{SPACE}.{channel}", 1, 1) for channel in MAY])
        assert not any(code for _, code, *_ in made.topic_errors)
        for channel, operations in MAY.items():
            for operation in operations:
                await _send(admin, _allow(TOPIC, f"{SPACE}.{channel}", operation))
        await _send(admin, _allow(GROUP, f"{SPACE}.open/allowed", READ))
        for mechanism in (1, 2):
            answer = await _send(admin, _Scram(mechanism))
            assert [code for _, code, *_ in answer.results] == [0, 0], answer
    finally:
        await admin.close()
    await _until_bob_is_known(guarded)


async def _send(admin: Any, request: Any) -> Any:
    return await admin._client.send(admin._client.get_random_node(), request)


def _allow(kind: int, name: str, operation: int) -> CreateAclsRequest:
    literal, allow = 3, 3
    return CreateAclsRequest(kind, name, literal, "User:bob", "*", operation, allow)


async def _until_bob_is_known(guarded: Guarded) -> None:
    """The last that was asked for is in force; all before it is, then."""
    async with asyncio.timeout(20):
        while True:
            transport = connect(guarded.url("SASL", f"bob:{QUOTED}"))
            try:
                await transport.open()
                await transport.publish(f"{SPACE}.open", frame())
                await transport.flush()
                return
            except TransportError:
                await asyncio.sleep(0.1)
            finally:
                await transport.close()


# ------------------------------------------- AlterUserScramCredentials, which aiokafka does not have


class _Result(Response):  # type: ignore[misc]
    API_KEY = 51  # pyright: ignore[reportAssignmentType]
    API_VERSION = 0  # pyright: ignore[reportAssignmentType]
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("error_code", Int16),
                ("error_message", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Alter(RequestStruct):  # type: ignore[misc]
    API_KEY = 51
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Result
    SCHEMA = Schema(
        (
            "deletions",
            CompactArray(("user", CompactString("utf-8")), ("mechanism", Int8), ("tags", TaggedFields)),
        ),
        (
            "upsertions",
            CompactArray(
                ("user", CompactString("utf-8")),
                ("mechanism", Int8),
                ("iterations", Int32),
                ("salt", CompactBytes),
                ("salted_password", CompactBytes),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Scram(Request[_Alter]):  # type: ignore[misc]
    """Gives anna and bob their password for SCRAM-SHA-256 (1) or SCRAM-SHA-512 (2)."""

    API_KEY = 51

    def __init__(self, mechanism: int) -> None:
        self._mechanism = mechanism

    def build(self, request_struct_class: type[_Alter]) -> _Alter:
        rounds, name = 4096, {1: "sha256", 2: "sha512"}[self._mechanism]
        rows: list[tuple[object, ...]] = []
        for user in ("anna", "bob"):
            salt = os.urandom(16)
            salted = hashlib.pbkdf2_hmac(name, PASSWORD.encode(), salt, rounds)
            rows.append((user, self._mechanism, rounds, salt, salted, {}))
        return request_struct_class([], rows, {})
