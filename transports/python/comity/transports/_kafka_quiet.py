"""Keeping aiokafka from logging as errors what it tries again, or what is raised anyway.

Responsible for the log of the clients made here only: those that a program has beside ours log as it wants. Not
responsible for what we log ourselves.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["quietly", "teach"]

_OURS: ContextVar[bool] = ContextVar("comity_kafka_ours", default=False)


@contextmanager
def quietly() -> Generator[None]:
    """Make aiokafka silent in the block, and in the tasks that it starts there, which inherit this."""
    token = _OURS.set(True)
    try:
        yield
    finally:
        _OURS.reset(token)


def teach() -> None:
    """Have each logger of aiokafka ask whose client it is; they are one per module, and filters are not inherited."""
    for name, logger in list(logging.Logger.manager.loggerDict.items()):
        if name.partition(".")[0] == "aiokafka" and isinstance(logger, logging.Logger):
            logger.addFilter(_heard)  # a second time changes nothing


def _heard(record: logging.LogRecord) -> bool:
    return not _OURS.get()
