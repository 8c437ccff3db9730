"""The figures of the transport to NATS; see `transports`."""

from __future__ import annotations

from tests.benchmarks.common import emit
from tests.benchmarks.transports import rows

if __name__ == "__main__":
    emit(lambda: rows("nats"))
