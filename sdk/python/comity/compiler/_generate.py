"""Decides which file each emitter's output becomes, writes them, and compares them with what is there.

Responsible for the list of generated files and for finding stray ones. Not responsible for their content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ._diagnostics import CompilerError, Diagnostic
from ._emit_docs import machines_page, requirement_index, requirements_page
from ._emit_errors import errors_module, package_module
from ._emit_machines import machines_module
from ._emit_messages import messages_module
from ._emit_spec import compiled, dump
from ._emit_strategies import shapes_module, strategies_module
from ._emit_vectors import vectors
from ._ir import Spec
from ._jsonschema import document
from ._load import load
from ._shape import LANGUAGE

__all__ = ["TARGETS", "check", "files", "generate", "generate_to"]

BINDINGS = "sdk/python/comity/sdk/_generated"
LANGUAGE_COPY = "sdk/python/comity/compiler/_language"
STRATEGIES = "conformance/python/comity/conformance/_generated"
OWNED = (BINDINGS, LANGUAGE_COPY, STRATEGIES, "schemas/json", "schemas/vectors", "docs/machines")
TARGETS = ("python", "jsonschema", "docs")


def files(spec_paths: Iterable[str | Path], root: Path) -> dict[str, str]:
    """Everything generated from these families, by path below `root`. Raises `CompilerError`."""
    source = root / "spec" / "language"
    language = source if source.is_dir() else LANGUAGE
    specs = _load_all(sorted(map(str, spec_paths)), language)
    found = {
        f"{BINDINGS}/__init__.py": '"""Generated bindings, one package per family and major version."""\n'
    }
    for file in sorted(language.glob("*.schema.json")):
        found[f"{LANGUAGE_COPY}/{file.name}"] = file.read_text(encoding="utf-8")
    found[f"{STRATEGIES}/__init__.py"] = (
        '"""Generated strategies, one module per family and major version."""\n'
    )
    found[f"{STRATEGIES}/_shapes.py"] = shapes_module()
    for spec in specs:
        found[f"{STRATEGIES}/{spec.slug}_strategies.py"] = strategies_module(spec)
        found[f"schemas/vectors/{spec.protocol}-{spec.version}.json"] = vectors(spec)
        found |= {f"{BINDINGS}/{spec.slug}/{name}": text for name, text in _python(spec)}
        found |= {f"schemas/json/{name}": text for name, text in _jsonschema(spec)}
        found[f"docs/machines/{spec.protocol}.md"] = machines_page(spec)
    found["docs/requirements.md"] = requirements_page(specs)
    found["schemas/requirements.json"] = dump(requirement_index(specs))
    return found


def _load_all(paths: Iterable[str], language: Path) -> list[Spec]:
    """Load every family, and raise the errors of all of them together."""
    specs: list[Spec] = []
    errors: list[Diagnostic] = []
    for path in paths:
        try:
            specs.append(load(path, language=language))
        except CompilerError as error:
            errors += error.diagnostics
    if errors:
        raise CompilerError(errors)
    return specs


def _python(spec: Spec) -> Iterator[tuple[str, str]]:
    yield "__init__.py", package_module(spec)
    yield "messages.py", messages_module(spec)
    yield "errors.py", errors_module(spec)
    if spec.machines:
        yield "machines.py", machines_module(spec)
    yield "spec.json", dump(compiled(spec))


def _jsonschema(spec: Spec) -> Iterator[tuple[str, str]]:
    for name in spec.messages:
        yield f"{spec.protocol}-{spec.version}/{name}.json", dump(document(spec, name))


def generate(spec_paths: Iterable[str | Path], root: Path) -> list[str]:
    """Write every generated file below `root`, remove strays, and return the paths that changed."""
    wanted = files(spec_paths, root)
    changed = _differences(wanted, root)
    for name in changed:
        if name in wanted:
            _write(root / name, wanted[name])
        else:
            (root / name).unlink()
    return changed


def check(spec_paths: Iterable[str | Path], root: Path) -> list[str]:
    """The generated files below `root` that are missing, differ or should not be there."""
    return _differences(files(spec_paths, root), root)


def _differences(wanted: Mapping[str, str], root: Path) -> list[str]:
    present = {
        file.relative_to(root).as_posix()
        for owned in OWNED
        for file in (root / owned).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    different = {name for name, text in wanted.items() if not _same(root / name, text)}
    return sorted(different | (present - wanted.keys()))


def _same(file: Path, text: str) -> bool:
    return file.is_file() and file.read_bytes() == text.encode()


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())


def generate_to(specdir: str | Path, out: Path, target: str) -> list[Path]:
    """Generate one target of any family into `out`, with the families it uses, and return the files written.

    `target` is `python` (a package per family, which imports `comity.sdk` only), `jsonschema` or `docs`.
    Raises `CompilerError` for an unsound spec and `ValueError` for an unknown target.
    """
    emitters = {"python": _packages, "jsonschema": _jsonschema, "docs": _docs}
    if target not in emitters:
        raise ValueError(f"unknown target {target!r}; known: {', '.join(TARGETS)}")
    spec = load(specdir)
    written: list[Path] = []
    for family in spec.families():
        for name, text in emitters[target](family):
            _write(out / name, text)
            written.append(out / name)
    return written


def _packages(spec: Spec) -> Iterator[tuple[str, str]]:
    return ((f"{spec.slug}/{name}", text) for name, text in _python(spec))


def _docs(spec: Spec) -> Iterator[tuple[str, str]]:
    yield f"{spec.protocol}/requirements.md", requirements_page([spec])
    yield (
        f"{spec.protocol}/machines.md",
        machines_page(spec).replace("../requirements.md#", "requirements.md#"),
    )
