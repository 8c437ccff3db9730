"""What the SDK needs to know of a protocol family: its messages, its channels, and which version this is.

Responsible for looking a message up by CloudEvents type or by name. Not responsible for what messages mean, nor
for loading more than the one family asked for: a family's models are imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from .errors import SpecError
from .spec import load

if TYPE_CHECKING:
    from .model import Channel, Message

__all__ = ["Family", "load_family"]


@dataclass(frozen=True, slots=True)
class Family:
    """One major version of a protocol, as this SDK speaks it.

    `messages` and `channels` are by short name. `by_type` finds a message by its CloudEvents type and `channel_of`
    the channel that a message, by short name, travels on.
    """

    name: str
    major: int
    minor: int
    messages: Mapping[str, type[Message]]
    channels: Mapping[str, Channel]
    by_type: Mapping[str, type[Message]] = field(init=False, repr=False)
    channel_of: Mapping[str, Channel] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_type = {message.TYPE: message for message in self.messages.values()}
        channel_of = {name: channel for channel in self.channels.values() for name in channel.messages}
        object.__setattr__(self, "by_type", by_type)
        object.__setattr__(self, "channel_of", channel_of)

    @property
    def version(self) -> str:
        """`major.minor`, as `comityversion` carries it."""
        return f"{self.major}.{self.minor}"

    @property
    def writes(self) -> frozenset[str]:
        """Short names of the messages that change their receiver's state."""
        return frozenset(name for name, message in self.messages.items() if message.WRITE)

    def limit(self, names: Iterable[str]) -> int:
        """The largest `max_bytes` among the channels of the messages `names`, 1 MiB where none has a channel."""
        sizes = [self.channel_of[name].max_bytes for name in names if name in self.channel_of]
        return max(sizes, default=1 << 20)


@cache
def load_family(name: str, major: int = 1) -> Family:
    """The family whose bindings were generated into this SDK. Raises `SpecError` where there are none."""
    module = f"comity.sdk._generated.{name.replace('-', '_')}_v{major}.messages"
    try:
        bindings = import_module(module)
    except ModuleNotFoundError as error:
        if error.name and module.startswith(error.name):
            raise SpecError(f"this SDK has no bindings of {name}/v{major}; run `make gen`") from error
        raise
    minor = int(load(name, major).version.partition(".")[2])
    return Family(name, major, minor, bindings.MESSAGES, bindings.CHANNELS)
