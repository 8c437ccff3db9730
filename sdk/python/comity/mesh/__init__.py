"""The public face: an agent's connection to its mesh, and the services one can run.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._gateway import running_gateway, serve_gateway
    from ._mesh import Mesh
    from ._serve import running_registry, serve
    from ._values import Change, Entry, Lease

__all__ = [
    "Change",
    "Entry",
    "Lease",
    "Mesh",
    "running_gateway",
    "running_registry",
    "serve",
    "serve_gateway",
]

_HOMES = {
    "Change": "_values",
    "Entry": "_values",
    "Lease": "_values",
    "Mesh": "_mesh",
    "running_gateway": "_gateway",
    "running_registry": "_serve",
    "serve": "_serve",
    "serve_gateway": "_gateway",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)
