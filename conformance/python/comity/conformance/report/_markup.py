"""Markup by construction: what is not an element is text, and text is escaped where it enters a tree.

Responsible for elements of HTML and SVG as strings. Not responsible for documents; there is no way to put a report's
text into one other than through `tag`, which neither markup nor invisible characters survive.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import cast

from ._text import visible

__all__ = ["Markup", "prose", "tag", "text", "trusted"]

_VOID = frozenset({"input", "meta"})


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element. Children are text, markup, or lists of either; None is nothing.

    Attribute names are spelled with `_` for `-` and may end in `_`. None and False leave an attribute out; True makes it
    a bare one.
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items())
    return Markup(f"<{name}{given}>" if name in _VOID else f"<{name}{given}>{text(*children)}</{name}>")


def text(*children: object) -> Markup:
    """`children` one after the other, escaped unless they are markup."""
    return Markup("".join(map(_child, children)))


def prose(words: str) -> Markup:
    """Text from a report in an isolated run, with what stands between backticks as code."""
    parts = words.split("`")
    odd = len(parts) % 2 == 0  # a backtick without its partner stays one
    return tag(
        "bdi", words if odd else [tag("code", part) if n % 2 else part for n, part in enumerate(parts)]
    )


def trusted(markup: str) -> Markup:
    """Markup of this package's own, such as its style sheet. Never a report's text."""
    return Markup(markup)


def _child(child: object) -> str:
    if child is None:
        return ""
    if isinstance(child, Markup):
        return child
    if isinstance(child, Iterable) and not isinstance(child, str):
        return text(*cast("Iterable[object]", child))
    return escape(visible(child))


def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    return f' {name}="{escape(visible(f"{value:g}" if isinstance(value, float) else value))}"'
