"""Who believes a gateway, and in what: an agent that was told its id, in what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from comity.cli._gateway import serve_gateway_command
from comity.mesh import Mesh, running_gateway, running_registry
from comity.mesh._apart import check_apart
from comity.registry import RegistryClient
from comity.sdk.errors import ConfigError, Refused, TimedOut
from comity.sdk.identity import Identity
from comity.sdk.ports import Effect, Notify, Send
from tests.sdk.support import FAMILY, NOW, OTHER, outbox

from .brokers import names
from .cases import GATEWAY

REGISTRY, STRANGER = OTHER, Identity.from_seed(b"\x09" * 32)
ANSWERS = {
    "Refused": {"code": "core.read_only"},
    "Counted": {"count": 7, "revision": 1},
}


def told(answer: str, speaker: Identity) -> list[str]:
    """What an agent that knows registry and gateway tells its user when `speaker` answers its question so."""
    client = RegistryClient(
        namespace="plant",
        identity=Identity.from_seed(b"\x01" * 32),
        entropy=b"test",
        profile="signed",
        registry=REGISTRY.agent_id,
        gateway=GATEWAY.agent_id,
    )
    client.command("count", {}, NOW)
    (request,) = [one for one in sent(client) if isinstance(one, Send)]
    message = FAMILY.messages[answer].model_validate(ANSWERS[answer])
    reply = outbox(speaker, "signed").reply(request.frame.attributes, message, NOW)
    client.receive(reply.frame, NOW)
    return [effect.event for effect in client.take_effects() if isinstance(effect, Notify)]


def sent(client: RegistryClient) -> list[Effect]:
    """The effects of `client`, once what it wants persisted is."""
    effects = client.take_effects()
    for effect in effects:
        if not isinstance(effect, Send | Notify):
            client.persisted(effect.token, NOW)  # type: ignore[union-attr]
    return effects + client.take_effects()


@pytest.mark.parametrize(
    ("speaker", "refuses", "answers"),
    [(REGISTRY, ["refused"], ["answered"]), (GATEWAY, ["refused"], []), (STRANGER, [], [])],
    ids=["registry", "gateway", "stranger"],
)
def test_a_gateway_is_believed_in_what_it_refuses_and_in_nothing_else(
    speaker: Identity, refuses: list[str], answers: list[str]
) -> None:
    assert told("Refused", speaker) == refuses
    assert told("Counted", speaker) == answers


async def test_who_knows_the_registry_only_hears_nothing_of_a_gateway_and_times_out() -> None:
    home, far = names("home", "far")
    registry = Identity.generate()
    async with (
        running_registry(home, namespace="edge", identity=registry, profile="signed"),
        running_gateway(home, far, from_namespaces=["edge"], identity=GATEWAY, profile="signed"),
    ):
        trusting: dict[str, Any] = {"namespace": "edge", "profile": "signed", "request_timeout_ms": 300}
        trusting["registry"] = registry.agent_id
        async with Mesh.connect(far, "wary", **trusting) as wary:
            assert await wary.registry.count() == 0
            with pytest.raises(TimedOut):
                await wary.registry.register(capabilities=["x"])
        async with Mesh.connect(far, "told", **trusting, gateway=GATEWAY.agent_id) as told_of_it:
            with pytest.raises(Refused, match=r"core\.read_only"):
                await told_of_it.registry.register(capabilities=["x"])


@pytest.mark.parametrize(
    ("sides", "complaint"),
    [
        ("nats://a x | nats://b x", "at home on one broker only"),
        ("nats://a x | nats://a", "both URLs are the same"),
        ("nats://127.0.0.1:1 x | nats://h,localhost:1?stream=600", "are the same by another name"),
        ("mqtt://127.0.0.1 x | mqtt://localhost:1883", "are the same by another name"),
        ("mqtt://127.0.0.1:99999 x | nats://b", "Port out of range"),
        ("nats://[::1 x | nats://b", "Invalid IPv6 URL"),
        ("nats://a | nats://b", "nothing to mirror"),
        ("nats://a X | nats://b", r"namespace 'X' is not \[a-z\]"),
        ("memory://a x | nats://b", "reaches nobody outside this process"),
        ("nats://a x | nonsense://b", "no transport for 'nonsense://b'"),
    ],
)
def test_what_cannot_be_joined_is_said(sides: str, complaint: str) -> None:
    (from_, *mine), (to, *theirs) = (side.split() for side in sides.split("|"))
    with pytest.raises(ConfigError, match=complaint):
        serve_gateway_command((from_, mine), (to, theirs), None, None, as_json=False)


@pytest.mark.parametrize("to", ["nats://localhost:2", "nats://u:p@localhost:1", "nats://localhost:1?nkey=/x"])
async def test_one_host_may_hold_two_brokers_and_a_broker_users_that_it_keeps_apart(to: str) -> None:
    await check_apart("nats://127.0.0.1:1", to)
