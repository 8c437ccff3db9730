"""Mutants for the rows of the registry family."""

from __future__ import annotations

from tests.mutants.registry import _reads, _watches, _writes

__all__ = ["_reads", "_watches", "_writes"]
