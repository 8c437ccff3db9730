"""`comity certify`, `replay` and `drive`: composes targets, services, the suite and its renderers.

Responsible for which subject is certified where, and for what is printed and written. Not responsible for verdicts.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from comity.cli._output import console, document
from comity.sdk.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from comity.conformance import LiveTarget, Report

__all__ = ["Job", "certify_command", "drive_command", "replay_command"]

REFERENCE = "python:comity.registry:reference"
_PLANS = 800
_LIVE_PLANS = 160


@dataclass(frozen=True, slots=True)
class Job:
    """What `comity certify` was asked for."""

    target: str | None
    family: str
    role: str
    profile: str
    plans: int | None
    seed: int
    live: bool
    reference: bool
    everywhere: bool
    namespace: str
    timeout: float


def certify_command(job: Job, directory: Path | None, *, as_json: bool) -> int:
    """Certify, print the report, write it into `directory`, and return the exit status of the verdict."""
    from comity.conformance.report import terminal

    _check(job)
    with terminal.progress(Console(stderr=True)) as on_progress:
        report = _run(job, on_progress)
    written = _write(report, directory) if directory is not None else []
    if as_json:
        document(report.data)
    else:
        terminal.show(report.data, console())
        for path in written:
            sys.stdout.write(f"wrote {path}\n")
    return report.exit


def replay_command(file: Path, target: str | None, *, as_json: bool) -> int:
    """Run a recorded failure again; 1 when the requirement fails again, 0 when it holds now."""
    from comity.conformance import replay

    result = replay(file, target=target)
    if as_json:
        document(result)
    else:
        again = "fails again" if result["reproduced"] else "holds in this run"
        same = "the same bytes" if result["identical"] else f"other bytes, first at {_difference(result)}"
        sys.stdout.write(f"{result['requirement']} {again}; {same}\n{result['prose']}\n")
    return 1 if result["reproduced"] else 0


def drive_command(target: str) -> int:
    """Speak the driver protocol on the pipes for the Python implementation `target`."""
    from comity.conformance import resolve

    if not target.startswith("python:"):
        raise ConfigError(f"{target}: only python:MODULE:FACTORY can be driven from here")
    driver = resolve(target)()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(driver.ask(line.rstrip(b"\n")) + b"\n")
        sys.stdout.buffer.flush()
    driver.close()
    return 0


def _check(job: Job) -> None:
    url = job.target is not None and "://" in job.target
    if job.everywhere and (job.target is not None or job.live):
        raise ConfigError("--everywhere certifies the reference; it takes neither a TARGET nor --live")
    if job.live and not url:
        raise ConfigError("--live needs the URL of a broker, such as nats://127.0.0.1:4222")
    if url and not job.live:
        raise ConfigError(
            f"{job.target} is a broker's URL: add --live to certify the service that runs there"
        )
    if job.reference and job.target is not None and not job.live:
        raise ConfigError("--reference takes no TARGET but a broker's URL with --live")


def _run(job: Job, on_progress: Callable[..., None]) -> Report:
    from comity.conformance import certify, certify_live

    asked: dict[str, Any] = {
        "family": job.family,
        "role": job.role,
        "profile": job.profile,
        "seed": job.seed,
        "on_progress": on_progress,
    }
    if job.live:
        return certify_live(_live(job), **asked)
    with ExitStack() as stack:
        live, missing = _everywhere(stack, job) if job.everywhere else ([], [])
        report = certify(
            job.target or REFERENCE, plans=job.plans or _PLANS, timeout=job.timeout, live=live, **asked
        )
    report.data["notes"] += missing
    for line in missing:
        Console(stderr=True).print(line, style="bold red", markup=False, highlight=False, soft_wrap=True)
    return report


def _live(job: Job) -> LiveTarget:
    from comity.cli._reference import in_process
    from comity.conformance import LiveTarget

    url = str(job.target)
    return LiveTarget(
        url,
        namespace=job.namespace,
        plans=job.plans or _LIVE_PLANS,
        timeout=job.timeout,
        serve=in_process(url, job.namespace) if job.reference else None,
    )


def _everywhere(stack: ExitStack, job: Job) -> tuple[list[LiveTarget], list[str]]:
    from comity.cli._everywhere import places

    return places(stack, job.namespace, job.plans or _LIVE_PLANS)


def _write(report: Report, directory: Path) -> list[Path]:
    from comity.conformance.report import write

    files = [*write(report.data, report.journals, directory).values()]
    return files + report.write_failures(directory)


def _difference(result: dict[str, Any]) -> str:
    difference = result["difference"]
    return f"record {difference['n']}" if difference else "the end"
