"""Filters from keywords.

Responsible for the short spelling of common criteria. Not responsible for what operators mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comity.sdk.errors import LocalProtocolError

__all__ = ["build"]

_PLAIN = ("agent", "name", "health", "zone", "node")
_MAPS = ("metadata", "resources")


def build(where: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """`where` with the criteria of `wanted` added to its `all`; `None` where there is neither.

    Raises `LocalProtocolError` for a keyword that is no criterion.
    """
    criteria = [criterion for name, value in wanted.items() for criterion in _criteria(name, value)]
    if where is None and not criteria:
        return None
    given = dict(where or {})
    if criteria:
        given["all"] = [*given.get("all", ()), *criteria]
    return given


def _criteria(name: str, value: Any) -> Iterator[dict[str, Any]]:
    if value is None:
        return
    if name == "capability":
        for capability in [value] if isinstance(value, str) else value:
            yield {"path": "capabilities", "op": "contains", "value": capability}
    elif name in _PLAIN:
        one = isinstance(value, str)
        yield {"path": name, "op": "eq" if one else "in", "value": value if one else list(value)}
    elif name in _MAPS:
        for key, inner in value.items():
            yield {"path": f"{name}.{key}", "op": "eq", "value": inner}
    else:
        known = ", ".join(("capability", *_PLAIN, *_MAPS))
        raise LocalProtocolError(
            f"{name!r} is no criterion; known are {known}, and `where` for everything else"
        )
