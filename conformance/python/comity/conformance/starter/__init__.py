"""Starters: complete small implementations to copy, certified by the suite like anybody else's.

Responsible for handing out their files. They import nothing of Comity and nothing outside the standard library; inside
this package their files import one another relatively, in a copy by name.
"""

from __future__ import annotations

from importlib import resources

from comity.sdk.errors import ConfigError

__all__ = ["ROLES", "files"]

ROLES = {"registry": ("registry.py", "state.py", "query.py", "wire.py")}


def files(role: str) -> dict[str, str]:
    """File names and texts of the starter for `role`. Raises `ConfigError` where there is none."""
    if role not in ROLES:
        raise ConfigError(f"no starter for role {role!r}; there is one for: {', '.join(ROLES)}")
    package = resources.files(__name__)
    return {name: _standing_alone(package.joinpath(name).read_text(encoding="utf-8")) for name in ROLES[role]}


def _standing_alone(text: str) -> str:
    return text.replace("\nfrom .", "\nfrom ")
