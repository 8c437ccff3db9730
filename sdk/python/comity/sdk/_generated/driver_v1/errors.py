"""Error codes of Comity driver protocol.

Generated from driver 1.0, source sha256:a6d9cdfa04bc676ed8b7021698378964976e7bb96e4a755c8e98b1cfdc038e8c.
Every edit is lost: change the spec and run `make gen`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from comity.sdk.spec import ErrorRow

__all__ = [
    "ERRORS",
]


ERRORS: Final[Mapping[str, ErrorRow]] = {}
