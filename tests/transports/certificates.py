"""Certificates for tests are made as those of `comity brokers up --tls` are."""

from __future__ import annotations

from comity.transports._authority import Authority

__all__ = ["Authority"]
