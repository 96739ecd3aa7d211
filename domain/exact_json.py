"""JSON with exact numbers: an amount is never converted to a float."""

import json
from decimal import Decimal
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON. A Decimal becomes a JSON number with exactly its digits."""
    return orjson.dumps(value, default=_encode_decimal, option=orjson.OPT_UTC_Z)


def loads(text: bytes | str, *, any_text: bool = False) -> Any:
    """Parse JSON. Every number is returned as a `str` with its original text.

    Raises ValueError if the text is not JSON in UTF-8, or if an object has the same member twice:
    two parsers could return different values. Also raises ValueError if the value could not be
    written as JSON again, because of a lone surrogate or too deep nesting; `any_text` turns this
    check off.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value = json.loads(
            text,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
            object_pairs_hook=_members,
        )
        if not any_text:
            orjson.dumps(value)
    except (RecursionError, TypeError):
        raise ValueError("holds a lone surrogate or is nested too deeply") from None
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("names a member twice")
    return members


def _encode_decimal(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} has no JSON form")
