"""Events and their data as bytes: structured CloudEvents JSON, and JSON payloads checked against their message.

Responsible for decoding in one parse and saying where data break their schema. Not responsible for attributes beyond
their spelling as strings, for addresses, signatures or what happens to an event that is refused.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic_core import ValidationError, to_json

from .envelope import REQUIRED
from .errors import LocalProtocolError, RemoteProtocolError
from .lexical import MALFORMED, MAX_DEPTH, check_depth, check_finite, dump, parse, read
from .ports import Frame
from .sizes import check_sizes

if TYPE_CHECKING:
    from .model import Record
    from .ports import Json

__all__ = [
    "SMALL",
    "JsonBytes",
    "SmallFrame",
    "data_size",
    "decode_data",
    "decode_structured",
    "decode_value",
    "encode_data",
    "encode_structured",
    "head_size",
    "json_pointer",
]

INVALID: Final = "core.invalid"
NOT_UNDERSTOOD: Final = "core.not_understood"
_POINTER_LIMIT: Final = 512
SMALL: Final = 4096
"""Octets of text that cannot hold a `Value` over its limit, however its numbers are respelled."""
M = TypeVar("M", bound="Record")


class SmallFrame(Frame):
    """A frame with inline data, of a document too short and with too few brackets to pass a limit of size or depth."""

    __slots__ = ()

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Frame:  # type: ignore[override]
        return Frame(*iterable)  # `_replace` builds by this, and what it builds was not measured


class JsonBytes(bytes):
    """Octets known to be JSON by the lexical rules, because this codec wrote them."""

    __slots__ = ()


def encode_data(message: Record) -> JsonBytes:
    """The payload of `message`: compact JSON, absent members left out."""
    return JsonBytes(message.__pydantic_serializer__.to_json(message, by_alias=True))


def decode_data(
    data: bytes | Json, message: type[M], *, newer: bool = False, critical: Sequence[str] = ()
) -> M:
    """The message that `data` carries, by the lexical rules and then by its schema.

    `newer` says that the sender speaks a higher minor version: members unknown here are ignored (CORE-VER-003) unless
    `critical` names them. Raises `RemoteProtocolError` with `core.malformed`, `core.not_understood`, or `core.invalid`
    and the JSON pointer of the first offending place (CORE-SCH-003).
    """
    text, value = (data, read(data)) if isinstance(data, bytes) else (_spelling(data), data)
    check_depth(value, text)
    decoded = decode_value(value, message, newer=newer, critical=critical)
    if len(text) > SMALL:
        check_sizes(decoded)
    return decoded


def decode_value(value: Any, message: type[M], *, newer: bool = False, critical: Sequence[str] = ()) -> M:
    """The same for the value of a `SmallFrame`, which was read already and is within every limit."""
    if newer or critical:
        check_finite(value)
        _check_critical(message, critical)
    validator = message.__pydantic_validator__
    try:
        decoded: M = (
            validator.validate_python(value, extra="ignore") if newer else validator.validate_python(value)
        )
    except ValidationError as error:
        check_finite(value)  # CORE-LEX-002 comes before CORE-SCH-001
        raise _invalid(error, value) from None
    return decoded


def encode_structured(frame: Frame) -> bytes:
    """`frame` as one CloudEvents JSON document.

    Data bytes stand inline as JSON where they are JSON; signed data and any other bytes travel as `data_base64`, so that
    they come out as they went in.
    """
    head = to_json(frame.attributes)[:-1]
    comma = b"," if len(head) > 1 else b""
    data = frame.data
    if not isinstance(data, bytes):
        return b'%b%b"data":%b}' % (head, comma, dump(data))
    if "comitysig" in frame.attributes or not (type(data) is JsonBytes or _is_json(data)):
        return b'%b%b"data_base64":"%b"}' % (head, comma, b64encode(data))
    return b'%b%b"data":%b}' % (head, comma, data)


def decode_structured(data: bytes) -> Frame:
    """The event of one structured document. Raises `RemoteProtocolError` for what is no event (CORE-ENV-006).

    An attribute that is no JSON string counts as absent where it is required, and as its JSON text elsewhere, which
    breaks the pattern of every attribute that has one. Data that cannot be read from the document (absent, given
    twice, not base64) are empty, which is no JSON: the event is refused as malformed rather than lost.
    """
    document = read(data)
    if not isinstance(document, dict):
        raise RemoteProtocolError("a structured event is one JSON object", code=MALFORMED)
    members = cast("dict[str, Any]", document)
    payload = _payload(members)
    try:
        "".join(members.values())  # the fastest way to learn that all are strings
    except TypeError:
        members = _spelled(members)
    if len(data) <= SMALL and type(payload) is dict and data.count(b"{") + data.count(b"[") <= MAX_DEPTH:
        return SmallFrame(members, payload)
    return Frame(members, payload)


def head_size(attributes: Mapping[str, str]) -> int:
    """Octets of the names and values of `attributes`; with the data's it is an event's size, on every transport."""
    head = "".join(attributes) + "".join(attributes.values())
    return len(head) if head.isascii() else len(head.encode(errors="surrogatepass"))


def data_size(frame: Frame) -> int:
    """Octets of the data of `frame`, at most `SMALL` of a `SmallFrame`; 0 of a value that JSON cannot carry."""
    if type(frame) is SmallFrame:
        return SMALL
    try:
        return len(frame.data) if isinstance(frame.data, bytes) else len(dump(frame.data))
    except LocalProtocolError:
        return 0


def json_pointer(location: Sequence[int | str], value: Any) -> str:
    """The RFC 6901 pointer of a validation error's `location` in `value`; what is no place in it (tags) is left out."""
    parts: list[str] = []
    for index, part in enumerate(location):
        found = (
            part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        )
        if found or index == len(location) - 1:
            parts.append(str(part).replace("~", "~0").replace("/", "~1"))
            value = cast("Any", value)[part] if found else None
    return "".join(f"/{part}" for part in parts)


def _spelling(value: Json) -> bytes:
    try:
        return dump(value)
    except LocalProtocolError as error:
        raise RemoteProtocolError(str(error), code=MALFORMED) from None


def _check_critical(message: type[Record], critical: Sequence[str]) -> None:
    known = {field.alias or name for name, field in message.model_fields.items()}
    for name in critical:
        if name not in known:
            raise RemoteProtocolError(f"member {name} is critical and unknown here", code=NOT_UNDERSTOOD)


def _invalid(error: ValidationError, value: Any) -> RemoteProtocolError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    pointer = json_pointer(first["loc"], value)
    shown = pointer if len(pointer) <= _POINTER_LIMIT else None
    return RemoteProtocolError(f"{pointer or 'data'}: {first['msg']}", code=INVALID, pointer=shown)


def _spelled(members: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: value for name, value in members.items() if isinstance(value, str)}
    others = {n: v for n, v in members.items() if n not in texts and n not in REQUIRED and v is not None}
    return texts | {name: dump(value).decode() for name, value in others.items()}


def _is_json(data: bytes) -> bool:
    try:
        parse(data)
    except RemoteProtocolError:
        return False
    return True


def _payload(members: dict[str, Any]) -> bytes | Json:
    inline = "data" in members
    encoded = members.pop("data_base64", None)
    payload: bytes | Json = members.pop("data", b"")
    if encoded is None:
        return payload
    if inline or not isinstance(encoded, str):
        return b""
    try:
        return b64decode(encoded, validate=True)
    except (Base64Error, ValueError):
        return b""
