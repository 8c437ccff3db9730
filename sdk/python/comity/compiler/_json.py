"""Narrowing of JSON and YAML data for type checkers.

Responsible for the two container tests. Not responsible for anything else.
"""

from __future__ import annotations

from typing import Any, TypeGuard

__all__ = ["is_list", "is_map"]


def is_map(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
