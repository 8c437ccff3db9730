"""Error codes of Comity driver protocol.

Generated from driver 1.0, source sha256:ae710ac0a7ece2a78f0f81655c929f071f9170f09e103a8c154083ae7f70dd26.
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
