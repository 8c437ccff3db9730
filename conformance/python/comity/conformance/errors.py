"""What the suite raises, each with the exit status that it means.

Responsible for telling a subject that cannot be driven, a wrong use and a defect of the suite itself apart.
Not responsible for verdicts: a subject that breaks a requirement is a result, never an exception.
"""

from __future__ import annotations

from comity.sdk.errors import ComityError

__all__ = ["AdapterError", "ConformanceError", "NobodyThere", "SelfCheckError", "UsageError"]


class ConformanceError(ComityError):
    """Base of the suite's errors. `exit` is the exit status of `comity certify` for it."""

    code = "local.conformance"
    exit = 3


class UsageError(ConformanceError):
    """The target, family, role or profile cannot be used as given."""

    code = "local.usage"


class AdapterError(ConformanceError):
    """The subject cannot be started or driven at all; the message quotes what it said."""

    code = "local.adapter"


class NobodyThere(ConformanceError):
    """Nobody answers on the broker in this namespace."""

    code = "local.nobody_there"


class SelfCheckError(ConformanceError):
    """The suite itself made a message that it did not mean to make, or judges with a table that is not whole."""

    code = "local.self_check"
    exit = 4
