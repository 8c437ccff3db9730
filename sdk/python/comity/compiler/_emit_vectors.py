"""Emits test vectors: for each message valid data and near-misses, each labelled with the rule that it breaks.

Responsible for the form of `schemas/vectors/*.json`. Not responsible for choosing the values.
"""

from __future__ import annotations

import json
from typing import Any

from ._examples import VARIANTS, example, misses
from ._ir import Ref, Spec
from ._json import is_list, is_map

__all__ = ["vectors"]

_LARGEST = 6000


def vectors(spec: Spec) -> str:
    """The vectors of all messages as JSON text, one value a line. Near-misses over 6,000 characters are left out."""
    groups = ",\n".join(f"  {json.dumps(name)}: {_group(spec, name)}" for name in spec.messages)
    head = {
        "format": "comity-vectors/1",
        "protocol": spec.protocol,
        "version": spec.version,
        "digest": spec.digest,
    }
    lines = "".join(f" {json.dumps(key)}: {json.dumps(value)},\n" for key, value in head.items())
    return f'{{\n{lines} "messages": {{\n{groups}\n }}\n}}\n'


def _group(spec: Spec, name: str) -> str:
    ref = Ref("", name)
    valid = [_line(example(spec, ref, variant)) for variant in range(VARIANTS)]
    distinct = list(dict.fromkeys(valid))
    broken: dict[str, str] = {}
    for base in (example(spec, ref, 1), example(spec, ref, 2), example(spec, ref, 3)):
        for rule, pointer, value in misses(spec, ref, base):
            line = _line({"rule": rule, "at": pointer, "data": value})
            if len(line) <= _LARGEST:
                broken.setdefault(f"{rule} {pointer} {_broken(value, pointer)}", line)
    return f'{{\n   "valid": [\n{_block(distinct)}\n   ],\n   "invalid": [\n{_block(list(broken.values()))}\n   ]\n  }}'


def _broken(value: Any, pointer: str) -> str:
    """The broken part, which tells two near-misses of one rule and place apart, whatever surrounds them."""
    for key in pointer.split("/")[1:]:
        if is_list(value):
            value = value[int(key)]
        elif key in value:
            value = value[key]
        else:
            return ""
    return "" if is_map(value) or is_list(value) else _line(value)


def _block(lines: list[str]) -> str:
    return ",\n".join(f"    {line}" for line in lines)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(", ", ": "))
