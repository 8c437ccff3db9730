"""Patterns: the common subset, its samples, and that Python, Rust and ECMA semantics agree on it."""

from __future__ import annotations

import re

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.compiler import load
from comity.compiler._ir import Array, Nullable, Record, Text, Type
from comity.compiler._pattern import PatternError, parse_pattern, samples
from tests.compiler.support import PINGPONG, ROOT

REFUSED = [
    r"a$", r"^a", r"^a\$", r"^\d$", r"^\w+$", r"^\s$", r"^a.b$", r"^(?=a)$", r"^(?<n>a)$", r"^(?i)a$", r"^(a)\1$", r"^a*?$",
    r"^a++$", r"^a{2}{3}$", r"^a|b$", r"^[z-a]$", r"^[]$", r"^[[a]]$", r"^[a--b]$", r"^[a~~b]$", r"^(a$", r"^a)$", r"^*$",
    r"^a{2,1}$", r"^a{x}$", r"^\u0041$", r"^\x4$", r"^a{1,99999}$", r"^\b$", r"^]$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", REFUSED)
def test_what_engines_read_differently_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse_pattern(pattern)


PIECES = st.sampled_from(
    ["a", "[a-z]", "[^a-z]", "[A-Za-z0-9_-]", r"\.", r"\x20", "(?:a|bc)", "(x|yz)", r"[\]\\]", "é"]
)
COUNTS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "{2,}"])
PATTERNS = st.lists(st.tuples(PIECES, COUNTS).map("".join), min_size=1, max_size=4).map(
    lambda p: f"^{''.join(p)}$"
)


@given(PATTERNS)
def test_samples_match_in_every_engine(pattern: str) -> None:
    validator = jsonschema_rs.validator_for({"type": "string", "pattern": pattern})
    found = samples(parse_pattern(pattern), 0, 200)
    assert found
    for text in found:
        assert re.search(f"{pattern[:-1]}\\Z", text), (pattern, text)
        assert validator.is_valid(text), (pattern, text)


@given(PATTERNS, st.text(alphabet="abcxyzA0_- .]\\\n\ré", max_size=5))
def test_engines_agree_on_random_text(pattern: str, text: str) -> None:
    parse_pattern(pattern)
    ours = re.search(f"{pattern[:-1]}\\Z", text) is not None
    assert ours == jsonschema_rs.validator_for({"type": "string", "pattern": pattern}).is_valid(text)


def patterns(kind: Type) -> list[Text]:
    if isinstance(kind, Text):
        return [kind] if kind.pattern else []
    if isinstance(kind, Record):
        return [text for field in kind.fields for text in patterns(field.type)]
    if isinstance(kind, Array | Nullable):
        return patterns(kind.items if isinstance(kind, Array) else kind.inner)
    return []


@pytest.mark.parametrize(
    "path", [PINGPONG, *(ROOT / "spec" / f / "v1" for f in ("core", "driver", "registry"))], ids=str
)
def test_every_pattern_of_the_specs_has_samples_of_the_right_length(path: object) -> None:
    for definition in load(str(path)).definitions.values():
        for kind in patterns(definition.type):
            assert kind.pattern is not None
            for text in samples(parse_pattern(kind.pattern), kind.min_length, kind.max_length):
                assert kind.min_length <= len(text) <= kind.max_length
                assert re.search(f"{kind.pattern[:-1]}\\Z", text)
