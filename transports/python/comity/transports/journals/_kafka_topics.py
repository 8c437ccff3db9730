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
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from comity.transports.journals._kafka_cluster import Cluster
from comity.transports.journals._kafka_place import Place

__all__ = ["MAX_ENTRY", "Topics"]

MAX_ENTRY: Final = 2 << 20
"""Octets of the largest entry."""
_MAX_BATCH: Final = MAX_ENTRY + (1 << 16)
_SEGMENT: Final = 64 << 20


class _Kind(NamedTuple):
    """What a topic is for, settings that must be as they are here, and those that may be higher."""

    purpose: str
    exact: dict[str, str]
    least: dict[str, int]
    more: dict[str, str]


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
        rolled = {"segment.bytes": str(_SEGMENT)}
        self._log = _Kind("entries", {**forever, **safe}, least, rolled)
        self._map = _Kind("state", {"cleanup.policy": "compact", **safe}, least, rolled)

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
        return not await self._create(self.entries(number), self._log, only_ask=True)

    async def latest(self) -> int:
        """The highest number of a topic of entries that is there; 0 where there is none."""
        names = await self._cluster.patiently(self._cluster.admin.list_topics)
        found = (re.fullmatch(rf"{self._prefix}([1-9][0-9]*)", name) for name in names)
        return max((int(match[1]) for match in found if match), default=0)

    # ------------------------------------------------------------------------

    async def _ensure(self, topic: str, kind: _Kind) -> None:
        if not await self._create(topic, kind):
            await self._check(topic, kind)

    async def _create(self, topic: str, kind: _Kind, *, only_ask: bool = False) -> bool:
        """Make `topic`, or only see whether that could be done; false where it is there."""
        config = {**kind.exact, **{name: str(value) for name, value in kind.least.items()}, **kind.more}
        wanted = NewTopic(topic, 1, self._place.replicas, topic_configs=config)

        async def ask() -> tuple[type[native.KafkaError], str]:
            answer = await self._cluster.admin.create_topics([wanted], validate_only=only_ask)
            _, code, *said = answer.topic_errors[0]
            reason: type[native.KafkaError] = native.for_code(code)
            if reason.retriable:
                raise reason
            return reason, (said[0] if said else None) or reason.__name__

        reason, said = await self._cluster.patiently(ask)
        if reason in (native.TopicAuthorizationFailedError, native.ClusterAuthorizationFailedError):
            return not await self._described(topic, f"grant CREATE, or make it by hand ({said})")
        if reason not in (native.NoError, native.TopicAlreadyExistsError):
            raise self._cluster.failure(
                f"the topic {topic} for {kind.purpose} cannot be made with {self._place.replicas} replicas: {said}"
            )
        return reason is native.NoError

    async def _described(self, topic: str, remedy: str) -> dict[str, Any]:
        """Partitions and replicas of a topic. Raises `JournalError` with the `remedy` where there is none."""

        async def ask() -> dict[str, Any]:
            (found,) = await self._cluster.admin.describe_topics([topic])
            return dict(found)

        found = await self._cluster.patiently(ask)
        if found["error_code"]:
            name = native.for_code(found["error_code"]).__name__
            raise self._cluster.failure(f"the topic {topic} cannot be seen ({name}): {remedy}")
        return found

    async def _check(self, topic: str, kind: _Kind) -> None:
        described = await self._described(topic, "grant DESCRIBE")
        partitions = described["partitions"]
        if len(partitions) != 1:
            raise self._unfit(topic, "partitions", len(partitions), "1", "delete it, or name another journal")
        copies = len(partitions[0]["replicas"])
        if copies < self._place.replicas:
            remedy = "add replicas, or ask for fewer with ?replicas="
            raise self._unfit(topic, "replicas", copies, f"{self._place.replicas} or more", remedy)
        config, remedy = await self._config(topic, kind), "alter the topic, or name another journal"
        for name, wanted in kind.exact.items():
            if (found := config[name]) != wanted:
                raise self._unfit(topic, name, found, wanted, remedy)
        for name, least in kind.least.items():
            if (found := config[name]) is None or int(found) < least:
                raise self._unfit(topic, name, found, f"{least} or more", remedy)

    async def _config(self, topic: str, kind: _Kind) -> dict[str, str | None]:
        names = dict.fromkeys([*kind.exact, *kind.least])
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, names)

        async def ask() -> Any:
            (answer,) = await self._cluster.admin.describe_configs([resource])
            return answer.resources[0]

        code, _, _, _, entries = await self._cluster.patiently(ask)
        if code:
            name = native.for_code(code).__name__
            raise self._cluster.failure(
                f"the settings of the topic {topic} cannot be read ({name}): grant DESCRIBE_CONFIGS"
            )
        return {name: value for name, value, *_ in entries}

    def _unfit(self, topic: str, setting: str, found: object, wanted: str, remedy: str) -> Exception:
        return self._cluster.failure(
            f"the topic {topic} is unfit for a journal: {setting} is {found}, and {wanted} is wanted: {remedy}"
        )
