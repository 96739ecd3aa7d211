"""JSON whose numbers keep their digits: nothing here ever makes a float of an amount."""

import json
from decimal import Decimal
from typing import Any

import orjson


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON. A Decimal becomes a JSON number with exactly its digits."""
    return orjson.dumps(value, default=_number, option=orjson.OPT_UTC_Z)


def loads(text: bytes | str, *, any_text: bool = False) -> Any:
    """Parse JSON, leaving every number as the text it was written in.

    Raises ValueError for anything that is not JSON in UTF-8, that could not be written again (lone
    surrogates, nesting beyond reason), or that two readers would read differently: an object that
    names a member twice. With `any_text` only what parses has to be: it is not written again.
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


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    raise TypeError(f"{type(value).__name__} has no JSON form")
