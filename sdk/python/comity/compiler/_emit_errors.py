"""Emits `errors.py` (the error registry as a table) and the package's `__init__.py`.

Responsible for constants of the own codes. Not responsible for exceptions, which the SDK writes by hand.
"""

from __future__ import annotations

from ._ir import Spec
from ._python import constant, docstring, header, literal

__all__ = ["errors_module", "package_module"]


def errors_module(spec: Spec) -> str:
    """Source of `errors.py` for `spec`."""
    constants = {row["code"]: constant(row["code"].partition(".")[2]) for row in spec.errors}
    lines = [f"{name}: Final = {literal(code)}" for code, name in constants.items()]
    rows: list[str] = []
    for row in spec.errors:
        number, values = row["number"], [literal(row[k]) for k in ("outcome", "retry", "blame", "text")]
        rows.append(f"    {constants[row['code']]}: ErrorRow({number}, {', '.join(values)}),")
    names = "".join(f'    "{name}",\n' for name in sorted([*constants.values(), "ERRORS"]))
    body = "\n".join([*lines, "", "ERRORS: Final[Mapping[str, ErrorRow]] = {", *rows, "}"])
    imports = "from collections.abc import Mapping\nfrom typing import Final\n\nfrom comity.sdk.spec import ErrorRow\n"
    return f"{header(spec, f'Error codes of {spec.title}.')}\n{imports}\n__all__ = [\n{names}]\n\n{body}\n".replace(
        "{\n}", "{}"
    )


def package_module(spec: Spec) -> str:
    """Source of the package's `__init__.py`, which loads nothing."""
    return docstring(f"Generated bindings of {spec.title} {spec.version}. Import its modules by name.") + "\n"
