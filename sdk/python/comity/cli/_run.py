"""Runs the application and turns every expected error into a message and an exit code."""

from __future__ import annotations

import sys
from typing import Any, cast

__all__ = ["USAGE", "run"]

USAGE = 3


def run(argv: list[str] | None = None) -> int:
    """Return the exit code of `comity ARGV`. Unexpected exceptions propagate: they are defects, not mistakes."""
    from typer.exceptions import TyperException

    from comity.cli._app import app
    from comity.sdk.errors import ComityError

    try:
        return int(cast(Any, app)(args=argv, prog_name="comity", standalone_mode=False) or 0)
    except TyperException as error:
        return _complain(f"{_format(error)}\ntry: comity --help")
    except ComityError as error:
        return _complain(str(error), getattr(error, "exit", USAGE))
    except ImportError as error:
        return _missing_extra(error)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        return 130


def _format(error: Exception) -> str:
    return str(getattr(error, "format_message", error.__str__)())


def _complain(text: str, code: int = USAGE) -> int:
    print(f"comity: {text}", file=sys.stderr)
    return code


_EXTRAS = {
    "yaml": "compiler",
    "hypothesis": "conformance",
    "jsonschema_rs": "conformance",
    "cryptography": "conformance",
    "nats": "nats",
}


def _missing_extra(error: ImportError) -> int:
    extra = _EXTRAS.get((error.name or "").partition(".")[0])
    if extra is None:
        raise error
    return _complain(f"{error.name} is not installed; try: pip install 'comity[{extra}]'")
