"""`memory:` keeps the contract of journals."""

from __future__ import annotations

import pytest

from comity.sdk.errors import ConfigError
from comity.transports import open_journal
from comity.transports.journals.memory import MemoryJournal
from tests.journals.contract import *  # noqa: F403
from tests.journals.contract import MakeJournal


@pytest.fixture
def make_journal() -> MakeJournal:
    return lambda: open_journal("memory:")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ConfigError, match="synchronous"):
        MemoryJournal("memory:?synchronous=full")
