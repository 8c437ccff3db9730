"""`python -m comity.compiler gen|check [--root DIR]`: what the Makefile calls for this repository's own families.

Responsible for exit codes and for what is printed. Not responsible for anything else.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import CompilerError, check, generate

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit 0 when all is well, 1 for an unsound spec or (check) a difference."""
    parser = argparse.ArgumentParser(prog="python -m comity.compiler", description=__doc__)
    parser.add_argument("command", choices=("gen", "check"))
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: here)")
    options = parser.parse_args(arguments)
    root: Path = options.root
    families = sorted(file.parent for file in root.glob("spec/*/v*/protocol.yaml"))
    try:
        changed = (generate if options.command == "gen" else check)(families, root)
    except CompilerError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    for name in changed:
        print(f"{'wrote' if options.command == 'gen' else 'differs:'} {name}")  # noqa: T201
    return 1 if changed and options.command == "check" else 0


if __name__ == "__main__":
    sys.exit(main())
