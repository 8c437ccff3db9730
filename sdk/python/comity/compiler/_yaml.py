"""Strict YAML 1.2 documents that remember on which line each value stands.

Responsible for syntax, duplicate keys and scalar types (core schema: `on` and `no` are strings). Aliases and
tags are refused: a spec file says what it means where it stands. Not responsible for the shape of the data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ._diagnostics import Log

__all__ = ["Document", "Where", "read_yaml"]

Where: TypeAlias = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+\Z|0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAGS = frozenset(
    f"tag:yaml.org,2002:{t}"
    for t in ("str", "int", "float", "bool", "null", "map", "seq", "timestamp", "merge", "value")
)


@dataclass
class Document:
    """One file's data and the line of every value in it. `data` is None when the file could not be read."""

    file: str
    log: Log
    data: Any = None
    lines: dict[Where, int] = field(default_factory=lambda: {(): 1})

    def line(self, where: Where) -> int:
        """Line of the value at `where`, or of the nearest one around it."""
        while where not in self.lines:
            where = where[:-1]
        return self.lines[where]

    def report(self, where: Where, rule: str, message: str) -> None:
        self.log.add(self.file, self.line(where), rule, message)


def read_yaml(path: Path, name: str, log: Log) -> Document:
    """Read `path`; every problem goes to `log` under the file name `name`."""
    document = Document(name, log)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except UnicodeDecodeError as error:
        document.report((), "yaml.encoding", f"the file is not UTF-8: {error.reason}")
        return document
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        log.add(name, line, "yaml.syntax", str(error.problem or error.context))
        return document
    except yaml.YAMLError as error:
        document.report((), "yaml.syntax", str(error))
        return document
    if root is None:
        document.report((), "yaml.empty", "the file has no content")
    else:
        document.data = _build(root, (), document, set())
    return document


def _build(node: yaml.Node, where: Where, document: Document, seen: set[int]) -> Any:
    line = node.start_mark.line + 1
    document.lines.setdefault(where, line)
    if id(node) in seen:
        document.report(where, "yaml.alias", "anchors and aliases are not part of the language")
        return None
    seen.add(id(node))
    if node.tag not in _TAGS:
        document.report(where, "yaml.tag", f"tag {node.tag} is not part of the language")
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, where, document, seen)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*where, i), document, seen) for i, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, where: Where, document: Document, seen: set[int]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
        line = key_node.start_mark.line + 1
        if not isinstance(key, str):
            document.log.add(document.file, line, "yaml.key", "a key must be a string")
            continue
        if key in result:
            document.log.add(document.file, line, "yaml.duplicate-key", f"duplicate key {key!r}")
            continue
        document.lines[*where, key] = line
        result[key] = _build(value_node, (*where, key), document, seen)
    return result


def _scalar(node: yaml.Node) -> Any:
    text: str = node.value
    if getattr(node, "style", None):
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.match(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.match(text) else text
