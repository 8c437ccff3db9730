"""Transport equivalence (REG-EQV-001): a service that behaves otherwise in one place is caught, and by this row alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from comity.cli import _everywhere
from comity.cli._certify import Job, certify_command
from comity.cli._everywhere import places
from comity.conformance import LiveTarget, Report, certify, certify_live
from comity.conformance.driver import CallDriver
from comity.conformance.equivalence import History, compare, history
from comity.conformance.generate import ALIKE, generate
from comity.conformance.judge import Judgement
from comity.conformance.law import law
from comity.conformance.simulate import Run, Simulation
from comity.mesh import running_registry
from comity.registry import reference
from comity.sdk.errors import ConfigError
from comity.sdk.ports import Frame, Guarantee
from comity.transports.brokers import Broker
from comity.transports.memory import MemoryTransport
from tests.mutants._patch import MUTANTS, applied
from tests.mutants.run import load

REFERENCE = "python:comity.registry:reference"


@pytest.fixture
def simulation() -> Simulation:
    found = Simulation(lambda: CallDriver(reference), law("registry", "registry"), 0)
    found.greet()
    return found


def shown(simulation: Simulation, index: int) -> tuple[Run, History]:
    run = simulation.run(generate(0, index, ALIKE))
    found = history(run.plan, run.journal)
    assert found is not None
    return run, found


@asynccontextmanager
async def lying(url: str) -> AsyncGenerator[None]:
    """The reference, but its refusals carry a remark that it does not make elsewhere and that no other row minds."""
    load()
    with applied(MUTANTS["points-at-the-epoch-at-uneven-positions"]) as patch:
        async with running_registry(url):
            yield
        assert patch.hits


@asynccontextmanager
async def disordered(url: str) -> AsyncGenerator[None]:
    """The reference behind a broker that reverses the answers to updates and renewals where several wait at once."""
    original = MemoryTransport.publish
    held: dict[str, list[Frame]] = {}
    tasks: set[asyncio.Task[None]] = set()

    async def release(transport: MemoryTransport, address: str) -> None:
        await asyncio.sleep(0.02)
        for frame in reversed(held.pop(address)):
            await original(transport, address, frame)

    async def publish(
        self: MemoryTransport, address: str, frame: Frame, *, guarantee: Guarantee = Guarantee.AT_MOST_ONCE
    ) -> None:
        if not frame.attributes["type"].endswith(("Updated", "Renewed")):
            await original(self, address, frame, guarantee=guarantee)
        elif address in held:
            held[address].append(frame)
        else:
            held[address] = [frame]
            task = asyncio.create_task(release(self, address))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MemoryTransport, "publish", publish)
        async with running_registry(url):
            yield
            await asyncio.gather(*tasks)


def everywhere(*places: tuple[str, Callable[[str], AbstractAsyncContextManager[Any]]]) -> Report:
    live = [LiveTarget(url, plans=0, serve=partial(serve, url)) for url, serve in places]
    return certify(REFERENCE, plans=8, live=live, shrinking=False)


def cells(report: Report, row: str = ALIKE) -> dict[str, Any]:
    return next(each["cells"] for each in report.data["requirements"] if each["id"] == row)


def test_a_liar_on_one_transport_falls_by_this_row_alone() -> None:
    report = everywhere(("memory://equal", running_registry), ("memory://other", lying))
    failed = {
        row["id"]
        for row in report.data["requirements"]
        for cell in row["cells"].values()
        if cell["violations"]
    }
    assert failed == {ALIKE}
    assert report.exit == 1
    other = cells(report, "REG-REG-001")["live:memory"]
    assert (other["verdict"], other["reason"]) == ("n/a", "this place is only compared with the simulation")
    counterexample = report.data["counterexamples"][0]
    assert "not the one that it was in simulation" in counterexample["prose"]
    assert '"pointer":"/epoch"' in counterexample["seen"]
    assert '"pointer":"/epoch"' not in counterexample["allowed"][0]


def test_a_broker_that_reverses_answers_falls_by_this_row_alone() -> None:
    report = everywhere(("memory://reversed", disordered))
    assert {found["requirement"] for found in report.data["counterexamples"]} == {ALIKE}
    assert cells(report)["live:memory"]["verdict"] == "fail"


def test_a_service_alone_is_not_compared_and_says_so() -> None:
    report = certify_live(
        LiveTarget("memory://alone", plans=3, serve=partial(running_registry, "memory://alone"))
    )
    assert cells(report)["live:memory"]["verdict"] == "n/a"
    assert "nothing to compare" in cells(report)["live:memory"]["reason"]


KAFKA = pytest.mark.xdist_group("kafka")


@pytest.mark.broker
@pytest.mark.parametrize(
    ("name", "journal"),
    [
        ("nats", "memory:"),
        ("nats", "sqlite:{tmp}/registry.db"),
        ("nats", "jetstream:{url}/equal"),
        ("mqtt", "memory:"),
        pytest.param("kafka", "memory:", marks=KAFKA),
        pytest.param("kafka", "kafka:{url}/equal", marks=KAFKA),
    ],
)
def test_the_reference_is_the_same_on_each_broker_and_with_each_journal(
    name: str, journal: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    broker: Broker = request.getfixturevalue(f"{name}_server")
    kind = journal.partition(":")[0]
    place = journal.format(tmp=tmp_path, url=broker.url)
    serve = partial(running_registry, broker.url, place, namespace=f"equal-{kind}")
    target = LiveTarget(broker.url, namespace=f"equal-{kind}", plans=0, serve=serve, journal=kind)
    found = cells(certify(REFERENCE, plans=8, live=[target], shrinking=False))[f"live:{name}+{kind}"]
    assert (found["verdict"], found["violations"]) == ("pass", 0)
    assert found["fired"] >= 20


def test_equal_runs_have_equal_digests_and_others_have_not(simulation: Simulation) -> None:
    assert shown(simulation, 1)[1].digest == shown(simulation, 1)[1].digest
    assert len({shown(simulation, index)[1].digest for index in range(20)}) == 20


@pytest.mark.parametrize("change", ["order", "loss", "repetition", "another"])
def test_every_difference_is_seen(simulation: Simulation, change: str) -> None:
    """Two neighbours swapped, the last one lost, one that comes twice, one that says something else."""
    run, expected = shown(simulation, 2)
    streams = {name: list(items) for name, items in expected.streams.items()}
    items = max(streams.values(), key=len)
    assert len({item for _, item in items}) > 1
    match change:
        case "order":
            items[0], items[1] = items[1], items[0]
        case "loss":
            items.pop()
        case "repetition":
            items.append(items[-1])
        case _:
            items[0] = (items[0][0], items[0][1].replace('"', "'"))
    found = Judgement(fired=dict(run.judgement.fired))
    compare(found, History(streams, expected.changes), expected, "elsewhere")
    assert [violation.rows for violation in found.violations] == [[ALIKE]]


def test_what_a_broker_brings_twice_is_one(simulation: Simulation) -> None:
    run, expected = shown(simulation, 3)
    again = [record for record in run.journal if record["what"] == "arrived"]
    seen = history(run.plan, [*run.journal, *again])
    assert seen == expected


def test_a_run_that_had_to_repeat_itself_says_nothing(simulation: Simulation) -> None:
    """An answer that was lost came another way: its order is the network's doing."""
    run, expected = shown(simulation, 3)
    sent = next(record for record in run.journal if record["what"] == "sent")
    assert history(run.plan, [*run.journal, sent]) is None
    found = Judgement(fired={"CORE-ENV-001": 1})
    compare(found, None, expected, "elsewhere")
    assert (found.violations, found.fired) == ([], {"CORE-ENV-001": 1})


@pytest.mark.broker
def test_a_broker_that_cannot_be_had_is_named_and_the_others_are_certified(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine without Java, which has to pass `make certify` all the same."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.delenv("COMITY_REQUIRE_ALL", raising=False)
    with ExitStack() as stack:
        found, missing = places(stack, "default", 1)
    assert {"live:memory", "live:nats", "live:nats+jetstream"} <= {place.key for place in found}
    assert [line.partition(",")[0] for line in missing if "kafka" in line] == [
        "NOT RUN on kafka: no Java here"
    ]
    monkeypatch.setenv("COMITY_REQUIRE_ALL", "1")
    with ExitStack() as stack, pytest.raises(ConfigError, match="COMITY_REQUIRE_ALL=1, but no Java"):
        places(stack, "default", 1)


def test_what_was_not_run_is_said_aloud_and_in_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(*_: object) -> tuple[list[LiveTarget], list[str]]:
        return [], ["NOT RUN on kafka: no Java here"]

    monkeypatch.setattr(_everywhere, "places", nowhere)
    asked: dict[str, Any] = {
        "family": "registry",
        "role": "registry",
        "profile": "core",
        "seed": 0,
        "timeout": 10.0,
    }
    job = Job(None, **asked, plans=8, live=False, reference=True, everywhere=True, namespace="default")
    assert certify_command(job, None, as_json=True) == 2  # eight plans are too few for a verdict
    said = capsys.readouterr()
    assert said.err == "NOT RUN on kafka: no Java here\n"
    assert json.loads(said.out)["notes"] == ["NOT RUN on kafka: no Java here"]
