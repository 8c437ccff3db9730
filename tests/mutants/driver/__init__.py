"""Mutants for the rows of the driver protocol: what an adapter owes the suite."""

# pyright: basic
# what is patched is private and untyped here on purpose: a mutant reaches where no caller may
from __future__ import annotations

import json
import uuid
from typing import Any

from comity.sdk import driver
from comity.sdk.driver import Host
from comity.sdk.outbox import Outbox
from tests.mutants._patch import Patch, mutant


@mutant("DRV-LINE-001", "numbers-its-answers-anew")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, line: bytes) -> bytes:
        answer = json.loads(original(self, line))
        return json.dumps({**answer, "n": answer["n"] + (json.loads(line)["type"] == "Entry")}).encode()

    p.around(Host, "__call__", change)


@mutant("DRV-LINE-002", "says-yes-to-everything")
def _(p: Patch) -> None:
    def change(original: Any, self: Any, name: str, data: Any) -> Any:
        answer = original(self, name, data)
        return ("Done", {"outputs": []}) if answer[0] == "Unsupported" else answer

    p.around(Host, "_answer", change)


@mutant("DRV-LINE-003", "adds-a-remark")
def _(p: Patch) -> None:
    p.around(
        driver,
        "_done",
        lambda original, endpoint: (lambda k, d: (k, {**d, "remark": "ok"}))(*original(endpoint)),
    )


@mutant("DRV-TIME-001", "never-comes-to-rest")
def _(p: Patch) -> None:
    p.around(
        driver,
        "_done",
        lambda original, endpoint: (lambda k, d: (k, {**d, "idle_until": 0}))(*original(endpoint)),
    )


@mutant("DRV-DET-001", "throws-dice")
def _(p: Patch) -> None:
    p.around(Outbox, "_content_id", lambda original, *a: uuid.uuid4().hex)
