"""Error codes of Comity driver protocol.

Generated from driver 1.0, source sha256:59a357b488c7b7628f568ac39347781e8376d668873c4abe22d94ed7fc789a51.
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
