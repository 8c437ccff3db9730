"""`python -m comity.cli`, for where the `comity` script is not on the path."""

from __future__ import annotations

from comity.cli import main

main()
