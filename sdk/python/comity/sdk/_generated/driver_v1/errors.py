"""Error codes of Comity driver protocol.

Generated from driver 1.0, source sha256:716ab910b365bd9f6b857ca3c3382741546254934b4ef991480e17c676687bb5.
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
