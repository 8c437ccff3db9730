"""Journals: ordered, durable logs of commands. See `comity.sdk.ports.Journal` for the contract."""
