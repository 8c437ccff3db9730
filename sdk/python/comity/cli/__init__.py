"""The `comity` command. Responsible for parsing, composing the rooms and printing; not for any logic of theirs.

Every command's own module is imported when the command runs, so that `comity --help` stays fast. Exit codes:
0 done or conformant, 1 not conformant (or findings), 2 incomplete, 3 a usage, adapter or connection problem,
4 the suite's self-check failed.
"""

from __future__ import annotations

__all__ = ["main"]


def main(argv: list[str] | None = None) -> None:
    """Run the command line and exit with its code. A user's mistake is one clear message, never a traceback."""
    import sys

    from comity.cli._run import run

    sys.exit(run(argv))
