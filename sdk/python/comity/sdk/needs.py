"""Whether a transport offers what the channels of a protocol need, asked once at the start.

Responsible for comparing the two declarations, the specification's and the adapter's. Not responsible for either.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from .errors import CapabilityError
from .ports import Capabilities, Guarantee, Ordering

if TYPE_CHECKING:
    from .family import Family
    from .model import Channel

__all__ = ["require"]

_KEEPING: Final = {
    "none": frozenset(Ordering),
    "per-key": frozenset({Ordering.KEY, Ordering.PUBLISHER, Ordering.TOTAL}),
    "per-publisher": frozenset({Ordering.PUBLISHER, Ordering.TOTAL}),
    "total": frozenset({Ordering.TOTAL}),
}


def require(capabilities: Capabilities, family: Family, role: str) -> None:
    """Raise `CapabilityError` where who plays `role` in `family` needs more than these `capabilities`.

    It names the channel, what it needs and what there is, so that nobody learns of it from what gets lost later.
    """
    for channel in family.channels.values():
        if role in (*channel.senders, *channel.receivers):
            for lack in _lacks(capabilities, channel, role):
                raise CapabilityError(
                    f"this transport cannot carry {family.name}/v{family.major} for {role!r}: "
                    f"channel {channel.name!r} needs {lack}"
                )


def _lacks(offered: Capabilities, channel: Channel, role: str) -> Iterator[str]:
    receives = role in channel.receivers
    if offered.ordering not in _KEEPING[channel.order]:
        yield f"its order kept {channel.order}, and here it is {offered.ordering}"
    if Guarantee(channel.guarantee) not in offered.guarantees:
        yield f"{channel.guarantee} delivery, and here there is only {', '.join(sorted(offered.guarantees))}"
    if receives and channel.group and not offered.groups:
        yield "groups, so that replicas share the work, and here there are none"
    if receives and channel.group and not offered.wildcards:
        yield "subscriptions by pattern, and here there are none"
    if channel.max_bytes > offered.max_payload:
        yield f"messages of {channel.max_bytes} octets, and here {offered.max_payload} is the most"
