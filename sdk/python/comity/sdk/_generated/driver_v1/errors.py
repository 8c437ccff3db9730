"""Error codes of Comity driver protocol.

Generated from driver 1.0, source sha256:38f47fee9b72c778f426cb2dfcf36606988fa11aee607d56ac6ce6f50ccb94bb.
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
