"""The registry family: agents register for a lease, find each other by what they can do, and watch who comes and goes.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._core.registry import Page, Registry
    from ._reference import reference
    from .client import RegistryClient
    from .service import RegistryService

__all__ = ["Page", "Registry", "RegistryClient", "RegistryService", "reference"]

_HOMES = {
    "Page": "_core.registry",
    "Registry": "_core.registry",
    "RegistryClient": "client",
    "RegistryService": "service",
    "reference": "_reference",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)
