# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""Topics as they must be: made where they are missing, looked at once where somebody else made them.

Responsible for the settings of topics, and for which of them are refused and which are only worth a warning. Not
responsible for who uses a topic, nor for remembering which are known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import errors as native
from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.fetch import FetchRequest

from comity.sdk.errors import TransportError
from comity.transports._kafka_reach import advice
from comity.transports._kafka_url import PARTITIONS, Settings

__all__ = ["BATCH", "MAX_RECORD", "Finding", "Topics", "findings", "settings_of"]

T = TypeVar("T")

_log = logging.getLogger(__name__)
MAX_RECORD: Final = (1 << 20) + (1 << 17)
"""Octets of the largest record: the largest payload, with room for attributes."""
BATCH: Final = 1 << 18
"""Octets of records that are sent together; brokers hold a batch against `max.message.bytes`, too."""
_COPIES: Final = 3
_PAUSE: Final = 0.1
_SETTINGS: Final = (
    "cleanup.policy",
    "max.message.bytes",
    "min.insync.replicas",
    "unclean.leader.election.enable",
)


class Finding(NamedTuple):
    """A setting that is not as it should be. `fatal`: events would be lost or refused; otherwise it is a risk."""

    setting: str
    found: str
    wanted: str
    remedy: str
    fatal: bool

    def __str__(self) -> str:
        return f"{self.setting} is {self.found}, wanted {self.wanted}: {self.remedy}"


def findings(
    config: Mapping[str, str], *, copies: int, partitions: int, wanted: int | None = None
) -> list[Finding]:
    """What is wrong with a topic of these settings, of which those that are not known are left out."""
    found: list[Finding] = []
    policy = config.get("cleanup.policy", "delete")
    if "compact" in policy:
        remedy = "compaction loses events that share a key; set it, or use another namespace"
        found.append(Finding("cleanup.policy", policy, "delete", remedy, fatal=True))
    if (size := int(config.get("max.message.bytes", MAX_RECORD))) < MAX_RECORD:
        fatal = size < BATCH + MAX_RECORD - (1 << 20)
        remedy = "raise it; events over it are refused" + (", and so are batches of small ones" * fatal)
        found.append(Finding("max.message.bytes", str(size), f"{MAX_RECORD} or more", remedy, fatal))
    found += _of_copies(config, copies)
    if wanted is not None and partitions != wanted:
        remedy = "say ?partitions= as it is, leave it out, or alter the topic; more partitions move keys"
        found.append(Finding("partitions", str(partitions), str(wanted), remedy, fatal=True))
    return found


def _of_copies(config: Mapping[str, str], copies: int) -> list[Finding]:
    in_sync = int(config.get("min.insync.replicas", max(1, copies - 1)))
    wanted = f"{max(1, copies - 1)} of {copies} copies"
    found: list[Finding] = []
    if in_sync > copies:
        remedy = "nothing can be published until it is lower, or there are more copies"
        found.append(Finding("min.insync.replicas", str(in_sync), wanted, remedy, fatal=True))
    elif copies > 1 and in_sync == copies:
        remedy = "nothing can be published while one broker is away; lower it"
        found.append(Finding("min.insync.replicas", str(in_sync), wanted, remedy, fatal=False))
    elif copies > 1 and in_sync == 1:
        remedy = "what is acknowledged may be lost with one broker; raise it"
        found.append(Finding("min.insync.replicas", "1", wanted, remedy, fatal=False))
    if copies > 1 and config.get("unclean.leader.election.enable") == "true":
        remedy = "what is acknowledged may be lost when brokers fail; switch it off"
        found.append(Finding("unclean.leader.election.enable", "true", "false", remedy, fatal=False))
    return found


class Topics:
    """The topics of one cluster, seen through one admin client."""

    def __init__(self, admin: Any, settings: Settings) -> None:
        self._admin = admin
        self._settings = settings
        self._silent = False

    async def ensure(self, topic: str) -> bool:
        """Make `topic`, or look at it where it exists; whether it was made.

        Raises `TransportError` where it cannot be made or is not fit for use. The caller sets the time limit.
        """
        reason, said = await self._create(topic)
        if reason is native.NoError:
            return True
        partitions = await self._partitions(topic, there=reason is native.TopicAlreadyExistsError)
        if partitions is None:
            raise self._error(f"topic {topic} cannot be made ({said}): {advice(reason())}")
        await self._look_at(topic, partitions)
        return False

    async def check_readable(self, topic: str, partition: int, offset: int, leader: int) -> None:
        """Raise `TransportError` where these credentials may not read `topic`, of which nothing is fetched."""
        request = FetchRequest(0, 0, 1, 0, [(topic, [(partition, offset, 1)])])
        answer = await self._admin._client.send(leader, request)
        reason = native.for_code(answer.topics[0][1][0][1])
        if reason is native.TopicAuthorizationFailedError:
            raise self._error(f"topic {topic} may not be read: {advice(reason())} (READ)")

    async def _create(self, topic: str) -> tuple[type[native.KafkaError], str]:
        """Why `topic` was not made, and in the broker's words; `NoError` where it was.

        Asked again, of whoever answers then, while brokers come and go: one that was frozen may know of no broker
        at all, itself included, and count more or fewer than its controller.
        """
        while True:
            copies = min(_COPIES, len(self._admin._client.cluster.brokers()))
            if copies:
                answer = await self._asked(partial(self._send, self._new(topic, copies)))
                _, code, *said = answer.topic_errors[0]
                reason = native.for_code(code)
                if not (reason.retriable or reason is native.InvalidReplicationFactorError):
                    return reason, _words(reason, said)
            await self._look_around()

    def _new(self, topic: str, copies: int) -> NewTopic:
        config = {
            "cleanup.policy": "delete",
            "retention.ms": str(int(self._settings.retention * 1000)),
            "max.message.bytes": str(2 * MAX_RECORD),
            "min.insync.replicas": str(max(1, copies - 1)),
        }
        return NewTopic(topic, self._settings.partitions or PARTITIONS, copies, topic_configs=config)

    async def _send(self, wanted: NewTopic) -> Any:
        client = self._admin._client
        while (one := client.cluster.controller) is None or not await client.ready(one.nodeId):
            await self._look_around()
        return await self._admin.create_topics([wanted])

    async def _asked(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, which is called again where the broker that it asks is gone."""
        while True:
            try:
                return await ask()
            except native.KafkaError as error:
                if not error.retriable:
                    raise
            await self._look_around()

    async def _look_around(self) -> None:
        """Learn which brokers there are, a moment later: one that is gone is named by the others for some time."""
        await asyncio.sleep(_PAUSE)
        await self._admin._client.force_metadata_update()

    async def _partitions(self, topic: str, *, there: bool) -> list[dict[str, Any]] | None:
        """Its partitions; None where there are none to see. A broker may not yet have heard of one that is `there`."""
        while True:
            (found,) = await self._asked(partial(self._admin.describe_topics, [topic]))
            if not found["error_code"] and found["partitions"]:
                partitions: list[dict[str, Any]] = found["partitions"]
                return partitions
            if not there or native.for_code(found["error_code"]) is native.TopicAuthorizationFailedError:
                return None
            await asyncio.sleep(_PAUSE)

    async def _look_at(self, topic: str, partitions: list[dict[str, Any]]) -> None:
        copies = min(len(one["replicas"]) for one in partitions)
        config = await self._config(topic)
        for one in findings(
            config, copies=copies, partitions=len(partitions), wanted=self._settings.partitions
        ):
            if one.fatal:
                raise self._error(f"topic {topic} cannot be used: {one}")
            _log.warning("%s: topic %s is at risk: %s", self._settings.shown, topic, one)

    async def _config(self, topic: str) -> dict[str, str]:
        while True:
            reason, config = await self._asked(partial(settings_of, self._admin, topic, _SETTINGS))
            if not reason.retriable:
                break
            await asyncio.sleep(_PAUSE)
        if reason is not native.NoError and not self._silent:
            self._silent = True
            _log.warning(
                "%s: topics are taken as they are, since their settings may not be read (%s, first of %s)",
                self._settings.shown,
                reason.__name__,
                topic,
            )
        return config

    def _error(self, text: str) -> TransportError:
        return TransportError(f"{self._settings.shown}: {text}")


def _words(reason: type[native.KafkaError], said: Sequence[str | None]) -> str:
    return (said[0] if said else None) or reason.__name__


async def settings_of(
    admin: Any, topic: str, names: Iterable[str]
) -> tuple[type[native.KafkaError], dict[str, str]]:
    """Those settings of `topic` among `names` that its brokers have, or why they are not told.

    The broker that is asked may be behind the one that made the topic, and says so by a reason that is `retriable`.
    """
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, dict.fromkeys(names))
    (answer,) = await admin.describe_configs([resource])
    code, _, _, _, entries = answer.resources[0]
    return native.for_code(code), {name: value for name, value, *_ in entries if value is not None}
