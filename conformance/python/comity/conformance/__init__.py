"""The conformance suite: whether an implementation keeps the spec's requirements, row by row.

Names are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._certify import Report, certify, certify_live, replay
    from .driver import DriverFactory, resolve
    from .errors import AdapterError, ConformanceError, NobodyThere, SelfCheckError, UsageError
    from .live import LiveTarget
    from .rows import properties

__all__ = [
    "AdapterError",
    "ConformanceError",
    "DriverFactory",
    "LiveTarget",
    "NobodyThere",
    "Report",
    "SelfCheckError",
    "UsageError",
    "certify",
    "certify_live",
    "properties",
    "replay",
    "resolve",
]

_HOMES = {
    "AdapterError": "errors", "ConformanceError": "errors", "NobodyThere": "errors", "SelfCheckError": "errors",
    "UsageError": "errors", "DriverFactory": "driver",
    "LiveTarget": "live", "resolve": "driver", "properties": "rows",
    "Report": "_certify", "certify": "_certify", "certify_live": "_certify", "replay": "_certify",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{home}", __name__), name)
