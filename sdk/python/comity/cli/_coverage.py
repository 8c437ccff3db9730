"""Joins what is required with what proves it: compiled spec, suite, mutants, and the features of the source systems.

Responsible for the rows of `comity spec coverage` and for docs/coverage.md. Not responsible for any of the four:
the compiler knows nothing of the suite, the suite nothing of the mutants, and none of them of the sources.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias, cast

from comity.sdk import spec
from comity.sdk.errors import ConfigError, SpecError

__all__ = [
    "FAMILIES",
    "Feature",
    "System",
    "coverage_markdown",
    "coverage_rows",
    "join",
    "load_sources",
    "render",
]

FAMILIES = ("registry", "coordination", "mesh-memory", "core", "transports", "sdk", "suite")
Row: TypeAlias = dict[str, object]

_COLUMNS = ("id", "level", "role", "profile", "observe")
_STATES = ("covered", "partly", "open")


@dataclass(frozen=True)
class Feature:
    """One feature of a source system. `tests` prove what no wire requirement can; `lacks` is what is missing."""

    id: str
    feature: str
    family: str
    see: str
    tests: tuple[str, ...] = ()
    lacks: str = ""


@dataclass(frozen=True)
class System:
    """One source system with all its features, in the order of the source."""

    id: str
    title: str
    features: tuple[Feature, ...]


def coverage_rows() -> list[Row]:
    """Per requirement of every compiled family: id, level, role, profile, observe, properties, mutants.

    The mutants are those of a checkout; an installed package has none. Raises `ImportError` without the suite.
    """
    from comity.conformance import properties

    checkout = Path(__file__).resolve().parents[4]
    return join(_requirements(), properties(), _mutants(checkout))


def coverage_markdown(root: Path) -> str:
    """The text of docs/coverage.md for the checkout at `root`.

    Raises `ConfigError` where `root` is no checkout and `SpecError` for a bad spec/sources.yaml.
    """
    table = root / "spec" / "sources.yaml"
    if not table.is_file():
        raise ConfigError(f"{table}: not found; run it at the top of a checkout of Comity")
    systems = load_sources(table.read_text(encoding="utf-8"))
    return render(systems, coverage_rows(), _origins(_requirements()), lambda path: (root / path).is_file())


def join(
    requirements: Iterable[Mapping[str, Any]],
    properties: Mapping[str, Sequence[str]],
    mutants: Mapping[str, Sequence[str]],
) -> list[Row]:
    """One row per requirement, with the names that stand behind it. Raises `SpecError` where a name has no row."""
    rows = [_joined(row, properties, mutants) for row in requirements]
    strangers = sorted({*properties, *mutants} - {str(row["id"]) for row in rows})
    if strangers:
        raise SpecError(
            f"a property or a mutant names a requirement that no spec has: {', '.join(strangers)}"
        )
    return rows


def _joined(
    row: Mapping[str, Any], properties: Mapping[str, Sequence[str]], mutants: Mapping[str, Sequence[str]]
) -> Row:
    joined: Row = {column: row[column] for column in _COLUMNS}
    joined["properties"] = sorted(properties.get(row["id"], ()))
    joined["mutants"] = sorted(mutants.get(row["id"], ()))
    return joined


def load_sources(text: str) -> list[System]:
    """Read spec/sources.yaml. Raises `SpecError` naming the feature whose shape, id or family is wrong."""
    import yaml

    systems = [
        System(entry["id"], entry["title"], tuple(_feature(each, entry["id"]) for each in entry["features"]))
        for entry in yaml.safe_load(text)["sources"]
    ]
    counted = Counter(feature.id for system in systems for feature in system.features)
    twice = [name for name, count in counted.items() if count > 1]
    if twice:
        raise SpecError(f"sources.yaml: two features are named {', '.join(twice)}")
    return systems


def _feature(entry: Mapping[str, Any], system: str) -> Feature:
    unknown = entry.keys() - {field.name for field in fields(Feature)}
    missing = {"id", "feature", "family", "see"} - entry.keys()
    if unknown or missing:
        raise SpecError(
            f"sources.yaml: {entry.get('id', '?')}: unknown {sorted(unknown)}, missing {sorted(missing)}"
        )
    if not str(entry["id"]).startswith(f"{system}.") or entry["family"] not in FAMILIES:
        raise SpecError(
            f"sources.yaml: {entry['id']}: an id starts with its system's, a family is one of {FAMILIES}"
        )
    return Feature(
        id=str(entry["id"]),
        feature=str(entry["feature"]),
        family=str(entry["family"]),
        see=str(entry["see"]),
        tests=tuple(entry.get("tests", ())),
        lacks=str(entry.get("lacks", "")),
    )


def render(
    systems: Sequence[System],
    rows: Sequence[Mapping[str, object]],
    origins: Mapping[str, Sequence[str]],
    exists: Callable[[str], bool],
) -> str:
    """The page. `origins` gives the requirement ids of each feature, `exists` says whether a test file is there."""
    _refuse_strangers(systems, origins)
    proofs = {str(row["id"]): cast("list[str]", row["properties"]) for row in rows}
    judged = {
        system.id: [
            _judge(feature, origins.get(feature.id, ()), proofs, exists) for feature in system.features
        ]
        for system in systems
    }
    parts = [_HEAD, *_totals(systems, judged), *_requirement_totals(rows)]
    for system in systems:
        parts += [
            f"\n## {system.title}\n",
            "| feature | family | requirements | proved by | state |",
            "|---|---|---|---|---|",
        ]
        parts += [line for _, line in judged[system.id]]
    return "\n".join(parts) + "\n"


_HEAD = """# Coverage of the source systems

<!-- Generated from spec/sources.yaml, the compiled spec, the suite's properties and the mutants. Do not edit. -->

Comity grew out of five systems. Each of their features has a row here, whether Comity has it yet or not.

- **covered**: each requirement that stems from it has a property in the conformance suite, each of its tests is
  there, and nothing is known to be missing.
- **partly**: some of it is specified or tested; what is known to be missing is said.
- **open**: nothing of it is there yet.
"""


def _judge(
    feature: Feature, ids: Sequence[str], proofs: Mapping[str, list[str]], exists: Callable[[str], bool]
) -> tuple[str, str]:
    properties = sorted({name.partition("[")[0] for each in ids for name in proofs[each]})
    tests = [path for path in feature.tests if exists(path)]
    proved = (
        bool(ids or feature.tests) and all(proofs[each] for each in ids) and len(tests) == len(feature.tests)
    )
    state = "open" if not (ids or tests) else "covered" if proved and not feature.lacks else "partly"
    note = f": lacks {feature.lacks}" if feature.lacks and state != "open" else ""
    cells = [
        f"{feature.feature}<br><sub>`{feature.id}` · {feature.see}</sub>",
        feature.family,
        ", ".join(f"[{each}](requirements.md#{each})" for each in ids),
        ", ".join(
            [*(f"`{name}`" for name in properties), *(f"[{Path(path).name}](../{path})" for path in tests)]
        ),
        f"**{state}**{note}",
    ]
    return state, "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _totals(systems: Sequence[System], judged: Mapping[str, Sequence[tuple[str, str]]]) -> Iterable[str]:
    yield "| source system | features | covered | partly | open |\n|---|--:|--:|--:|--:|"
    total: Counter[str] = Counter()
    for system in systems:
        states = Counter(state for state, _ in judged[system.id])
        total += states
        yield f"| [{system.title}](#{_slug(system.title)}) | {states.total()} | {_counts(states)} |"
    yield f"| all | {total.total()} | {_counts(total)} |"


def _counts(states: Counter[str]) -> str:
    return " | ".join(str(states[state]) for state in _STATES)


def _requirement_totals(rows: Sequence[Mapping[str, object]]) -> Iterable[str]:
    yield "\n| requirement rows | all | with a property | with a mutant |\n|---|--:|--:|--:|"
    for level in ("MUST", "SHOULD", "MAY"):
        own = [row for row in rows if row["level"] == level]
        if own:
            yield f"| {level} | {len(own)} | {sum(map(_has('properties'), own))} | {sum(map(_has('mutants'), own))} |"


def _has(column: str) -> Callable[[Mapping[str, object]], bool]:
    return lambda row: bool(row[column])


def _slug(heading: str) -> str:
    """The anchor that Markdown renderers of code hosts give a heading."""
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def _refuse_strangers(systems: Sequence[System], origins: Mapping[str, Sequence[str]]) -> None:
    known = {feature.id for system in systems for feature in system.features}
    strangers = sorted(origins.keys() - known)
    if strangers:
        raise SpecError(f"requirements name source features that sources.yaml lacks: {', '.join(strangers)}")


def _origins(requirements: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    origins: dict[str, list[str]] = {}
    for row in requirements:
        for feature in row.get("source") or ():
            origins.setdefault(feature, []).append(row["id"])
    return origins


def _requirements() -> list[Mapping[str, Any]]:
    generated = resources.files("comity.sdk").joinpath("_generated")
    packages = sorted(each.name for each in generated.iterdir() if each.joinpath("spec.json").is_file())
    versions = (name.rpartition("_v") for name in packages)
    return [row for family, _, major in versions for row in spec.load(family, int(major)).requirements]


def _mutants(checkout: Path) -> dict[str, list[str]]:
    index = checkout / "tests" / "mutants" / "index.json"
    if not index.is_file():
        return {}
    return cast("dict[str, list[str]]", json.loads(index.read_text(encoding="utf-8")))
