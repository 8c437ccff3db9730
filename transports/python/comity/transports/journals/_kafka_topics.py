# pyright: basic
# aiokafka is not typed; the `_kafka_` modules are the places that touch it.
"""The topics of a Kafka journal: made as they must be, and refused where they are otherwise.

Responsible for their names and settings. Not responsible for what is in them.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from aiokafka import errors as native
from aiokafka.admin import NewTopic

from comity.transports._kafka_topics import settings_of
from comity.transports.journals._kafka_cluster import Cluster
from comity.transports.journals._kafka_place import Place

__all__ = ["MAX_ENTRY", "Topics"]

MAX_ENTRY: Final = 2 << 20
"""Octets of the largest entry."""
_MAX_BATCH: Final = MAX_ENTRY + (1 << 16)
_SEGMENT: Final = 64 << 20  # octets; what is forgotten is freed by whole segments
_SMALL_SEGMENT: Final = 8 << 20  # the last segment is never compacted, and read whole by whoever starts
_MAY_NOT: Final = (native.TopicAuthorizationFailedError, native.ClusterAuthorizationFailedError)


class _Kind(NamedTuple):
    """What a topic is for, settings that must be as they are here, and those that may be higher."""

    purpose: str
    exact: dict[str, str]
    least: dict[str, int]
    more: dict[str, str]

    @property
    def settings(self) -> dict[str, str]:
        """Those of a topic that is made here."""
        return {**self.exact, **{name: str(value) for name, value in self.least.items()}, **self.more}


class Topics:
    """Names, makes and checks the topics of one journal."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self._cluster = cluster
        self._place = place
        self._prefix = f"comity-{place.name}-"
        self.state = f"{self._prefix}state"
        safe = {"unclean.leader.election.enable": "false"}
        least = {"max.message.bytes": _MAX_BATCH, "min.insync.replicas": place.replicas // 2 + 1}
        forever = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
        self._log = _Kind("entries", {**forever, **safe}, least, {"segment.bytes": str(_SEGMENT)})
        compacted = {"cleanup.policy": "compact", **safe}
        self._map = _Kind("state", compacted, least, {"segment.bytes": str(_SMALL_SEGMENT)})

    def entries(self, number: int) -> str:
        """The topic of entries that was made as the `number`-th."""
        return f"{self._prefix}{number}"

    async def ensure_state(self) -> None:
        """Make the topic of the state, or check it. Raises `JournalError`."""
        await self._ensure(self.state, self._map)

    async def ensure_entries(self, number: int) -> None:
        """Make a topic of entries, or check it. Raises `JournalError`."""
        await self._ensure(self.entries(number), self._log)

    async def has_entries(self, number: int) -> bool:
        """Whether there is that topic, by what the controller knows: other brokers may be behind."""
        reason = await self._create(self.entries(number), self._log, only_ask=True)
        if reason in _MAY_NOT:
            return await self._is_there(self.entries(number))
        return reason is native.TopicAlreadyExistsError

    async def latest(self) -> int:
        """The highest number of a topic of entries that is there; 0 where there is none."""
        names = await self._cluster.patiently(self._cluster.admin.list_topics)
        found = (re.fullmatch(rf"{self._prefix}([1-9][0-9]*)", name) for name in names)
        return max((int(match[1]) for match in found if match), default=0)

    # ------------------------------------------------------------------------

    async def _ensure(self, topic: str, kind: _Kind) -> None:
        reason = await self._create(topic, kind)
        if reason in _MAY_NOT and not await self._is_there(topic):
            settings = ", ".join(f"{name}={value}" for name, value in kind.settings.items())
            raise self._cluster.failure(
                f"the topic {topic} is missing, and these credentials may not make it: grant CREATE, "
                f"or make it by hand with one partition and {settings}"
            )
        if reason is not native.NoError:
            await self._check(topic, kind)

    async def _create(self, topic: str, kind: _Kind, *, only_ask: bool = False) -> type[native.KafkaError]:
        """Make `topic`, or only see whether that could be done; why not, where it is there or we may not."""
        wanted = NewTopic(topic, 1, self._place.replicas, topic_configs=kind.settings)

        async def ask() -> tuple[type[native.KafkaError], str]:
            answer = await self._cluster.admin.create_topics([wanted], validate_only=only_ask)
            _, code, *said = answer.topic_errors[0]
            reason: type[native.KafkaError] = native.for_code(code)
            if reason.retriable:
                raise reason
            return reason, (said[0] if said else None) or reason.__name__

        reason, said = await self._cluster.patiently(ask)
        if reason not in (native.NoError, native.TopicAlreadyExistsError, *_MAY_NOT):
            raise self._cluster.failure(
                f"the topic {topic} for {kind.purpose} cannot be made with {self._place.replicas} replicas: {said}"
            )
        return reason

    async def _is_there(self, topic: str) -> bool:
        async def ask() -> bool:
            reason = native.for_code((await self._metadata(topic))["error_code"])
            if reason not in (native.NoError, native.UnknownTopicOrPartitionError):
                raise reason(f"{topic} (DESCRIBE)")
            return reason is native.NoError

        return await self._cluster.patiently(ask)

    async def _partitions(self, topic: str) -> list[dict[str, Any]]:
        async def ask() -> list[dict[str, Any]]:
            found = await self._metadata(topic)
            if found["error_code"]:  # this broker may not have heard of it yet
                raise native.for_code(found["error_code"])(f"{topic} (DESCRIBE)")
            return list(found["partitions"])

        return await self._cluster.patiently(ask)

    async def _metadata(self, topic: str) -> dict[str, Any]:
        (found,) = await self._cluster.admin.describe_topics([topic])
        return dict(found)

    async def _check(self, topic: str, kind: _Kind) -> None:
        partitions = await self._partitions(topic)
        if len(partitions) != 1:
            raise self._unfit(topic, "partitions", len(partitions), "1", "delete it, or name another journal")
        copies = len(partitions[0]["replicas"])
        if copies < self._place.replicas:
            remedy = "add replicas, or ask for fewer with ?replicas="
            raise self._unfit(topic, "replicas", copies, f"{self._place.replicas} or more", remedy)
        config, remedy = await self._config(topic, kind), "alter the topic, or name another journal"
        for name, wanted in kind.exact.items():
            if (found := config.get(name, wanted)) != wanted:
                raise self._unfit(topic, name, found, wanted, remedy)
        for name, least in kind.least.items():
            if int(found := config.get(name, str(least))) < least:
                raise self._unfit(topic, name, found, f"{least} or more", remedy)

    async def _config(self, topic: str, kind: _Kind) -> dict[str, str]:
        """The settings that count, but for those that such brokers do not have."""

        async def ask() -> tuple[type[native.KafkaError], dict[str, str]]:
            reason, config = await settings_of(self._cluster.admin, topic, [*kind.exact, *kind.least])
            if reason.retriable:  # this broker may not have heard of it yet
                raise reason(f"{topic} (DESCRIBE_CONFIGS)")
            return reason, config

        reason, config = await self._cluster.patiently(ask)
        if reason is not native.NoError:
            raise self._cluster.failure(
                f"the settings of the topic {topic} cannot be read ({reason.__name__}): grant DESCRIBE_CONFIGS"
            )
        return config

    def _unfit(self, topic: str, setting: str, found: object, wanted: str, remedy: str) -> Exception:
        return self._cluster.failure(
            f"the topic {topic} is unfit for a journal: {setting} is {found}, and {wanted} is wanted: {remedy}"
        )
