"""Error codes of Comity driver protocol.

Generated from driver 1.0, source sha256:0b38b8b1e4972d9fc21f2efbda16a2a509a9dcd872d49c3cdfd053eea93e9b0d.
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
