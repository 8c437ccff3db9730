"""The base of every generated message class, and the two open types `Value` and `Map`.

Responsible for strictness: closed, frozen, no coercion, absent is `MISSING` and never null. Not responsible
for lexical rules (duplicate names, number spelling, depth, size), which the codec checks on the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias, cast

from pydantic import MISSING, AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

if TYPE_CHECKING:
    from .ports import Json

__all__ = [
    "MAX_INTEGER",
    "MISSING",
    "Channel",
    "Field",
    "Map",
    "Message",
    "Record",
    "Unique",
    "Value",
    "alias",
]

MAX_INTEGER = 2**53 - 1
_MAX_DEPTH = 8
_MAX_KEYS = 64
_MAX_ITEMS = 256
_MAX_TEXT = 4096
_type: Callable[[Any], Any] = type
_Container: TypeAlias = "dict[Any, Any] | list[Any]"
_MAX_KEY = 64
_NAMES = re.compile(r"[A-Za-z0-9_-]+")  # the keys of a map, one behind the other


class Record(BaseModel):
    """A closed object of a spec. Members that were not given are `MISSING`."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        defer_build=True,
        protected_namespaces=(),
    )


class Message(Record):
    """An object that travels as the data of an event.

    `TYPE` is its CloudEvents type, `REPLIES` the short names of what may answer it, `WRITE` whether it changes
    its receiver's state, `SAFE` whether it asks for no change of what others read.
    """

    TYPE: ClassVar[str] = ""
    FAMILY: ClassVar[str] = ""
    MAJOR: ClassVar[int] = 0
    KIND: ClassVar[Literal["request", "reply", "event"]] = "event"
    WRITE: ClassVar[bool] = False
    SAFE: ClassVar[bool] = True
    REPLIES: ClassVar[tuple[str, ...]] = ()


def alias(name: str, *, required: bool) -> Any:
    """A field whose wire name is `name`, which Python or Pydantic keeps for itself."""
    return Field(alias=name) if required else Field(default=MISSING, alias=name)


class Channel(NamedTuple):
    """Where messages travel: roles, the messages, what the key is, and what order and guarantee they need."""

    name: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    messages: tuple[str, ...]
    key: str
    order: str
    guarantee: str
    max_bytes: int
    group: bool


class _BuiltIn:
    """Validates `Value` and `Map` in one pass over plain Python data."""

    def __init__(self, check: Callable[[Any], Any]) -> None:
        self.check = check

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.check)


def _value(value: Any) -> Any:
    kind = _type(value)
    if kind is dict or kind is list:
        _container(value, _MAX_DEPTH)
    else:
        _scalar(value, kind)
    return value


def _map(value: Any) -> Any:
    if type(value) is not dict:
        raise PydanticCustomError("map_type", "Input should be a map")
    _container(cast("_Container", value), _MAX_DEPTH)
    return cast("Any", value)


def _container(value: _Container, depth: int) -> None:
    """Check a map or list that may nest `depth` deep. One frame per level: this is on the path of every write."""
    if not depth:
        raise PydanticCustomError("value_depth", "Value should nest at most 8 deep")
    items: Collection[Any]
    if isinstance(value, dict):
        _keys(value)
        items = value.values()
    elif len(value) > _MAX_ITEMS:
        raise PydanticCustomError("value_size", "Map or list should have fewer members")
    else:
        items = value
    for item in items:
        kind = _type(item)
        if kind is str:  # most are: what `_scalar` does, without its call
            if len(item) > _MAX_TEXT:
                raise _too_long()
        elif kind is dict or kind is list:
            _container(item, depth - 1)
        else:
            _scalar(item, kind)


def _keys(value: dict[Any, Any]) -> None:
    if len(value) > _MAX_KEYS:
        raise PydanticCustomError("value_size", "Map or list should have fewer members")
    try:
        names = "".join(value)
    except TypeError:
        names = ""  # one of them is no string
    fits = _NAMES.fullmatch(names) and (len(names) <= _MAX_KEY or max(map(len, value)) <= _MAX_KEY)
    if value and ("" in value or not fits):
        raise PydanticCustomError("map_key", "Keys should match ^[A-Za-z0-9_-]{{1,64}}$")


def _scalar(value: Any, kind: Any) -> None:
    if kind is str:
        if len(value) > _MAX_TEXT:
            raise _too_long()
    elif kind is int or kind is float:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise PydanticCustomError("value_range", "Number should be finite and within 2^53-1")
    elif kind is not bool:
        raise PydanticCustomError("value_type", "Input should be a JSON scalar, list or map, without null")


def _too_long() -> PydanticCustomError:
    return PydanticCustomError("value_length", "String should have at most 4096 characters")


def _unique(items: list[Any]) -> list[Any]:
    if any(item in items[:index] for index, item in enumerate(items)):
        raise PydanticCustomError("unique_items", "Items should be unique")
    return items


Unique = AfterValidator(_unique)

if TYPE_CHECKING:
    Value: TypeAlias = Json
    Map: TypeAlias = dict[str, Json]
else:
    Value = Annotated[Any, _BuiltIn(_value)]
    Map = Annotated[Any, _BuiltIn(_map)]
