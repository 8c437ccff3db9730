"""The certificate: what was certified, by what, against which sentences, and over which recorded journals.

Responsible for the statement, an in-toto Statement (v1) with a predicate of its own type. It is unsigned for now. Not
responsible for judging: it repeats the report's verdicts and binds them to digests.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from .json_ import canonical

__all__ = ["PREDICATE", "leaf", "merkle_root", "statement"]

PREDICATE = "urn:comity:certificate:1"


def statement(report: Mapping[str, Any], journals: Mapping[str, bytes]) -> dict[str, Any]:
    """The statement about `report`; equal reports and journals give equal statements."""
    subject = report["subject"]
    root = merkle_root(leaf(name, journals[name]) for name in sorted(journals))
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": subject["name"], "digest": {"sha256": _subject_digest(subject)}}],
        "predicateType": PREDICATE,
        "predicate": {
            "implementation": subject,
            "suite": {**report["suite"], "requirements_sha256": _requirements_digest(report)},
            **{name: report[name] for name in ("family", "role", "profile", "verdict", "seed")},
            "modes": [_mode(mode) for mode in report["modes"]],
            "requirements": {row["id"]: _verdicts(row) for row in report["requirements"]},
            "nonconformities": sorted(
                row["id"] for row in report["requirements"] if "fail" in _verdicts(row).values()
            ),
            "journals": {"count": len(journals), "merkle_root_sha256": root},
            "report_sha256": hashlib.sha256(canonical(_timeless(report))).hexdigest(),
        },
    }


def leaf(name: str, journal: bytes) -> bytes:
    """The leaf hash of one journal: SHA-256 over 0x00, then the digests of its name and of its bytes."""
    content = hashlib.sha256(name.encode()).digest() + hashlib.sha256(journal).digest()
    return hashlib.sha256(b"\x00" + content).digest()


def merkle_root(leaves: Iterable[bytes]) -> str:
    """The root of the RFC 6962 tree over leaf hashes, in hexadecimal; of none, the digest of nothing.

    Pairing neighbours level by level and carrying an odd one up gives the same tree as splitting at powers of two.
    """
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        pairs = [
            hashlib.sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)
        ]
        level = pairs + ([level[-1]] if len(level) % 2 else [])
    return level[0].hex()


def _subject_digest(subject: Mapping[str, Any]) -> str:
    """The implementation's own digest where the suite knows it, else that of what it says of itself."""
    return str(subject.get("digest") or hashlib.sha256(canonical(subject)).hexdigest())


def _requirements_digest(report: Mapping[str, Any]) -> str:
    sentences = {row["id"]: [row["level"], row["profile"], row["text"]] for row in report["requirements"]}
    return hashlib.sha256(canonical(sentences)).hexdigest()


def _timeless(report: Mapping[str, Any]) -> dict[str, Any]:
    """The report without how long it took, which no second run repeats."""
    return {**report, "modes": [_mode(mode) for mode in report["modes"]]}


def _mode(mode: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in mode.items() if name != "seconds"}


def _verdicts(row: Mapping[str, Any]) -> dict[str, str]:
    return {key: cell["verdict"] for key, cell in row["cells"].items()}
