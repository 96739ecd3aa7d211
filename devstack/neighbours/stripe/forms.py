"""Reads form-encoded parameters with nested names: `metadata[order_id]=…`, `expand[]=…`."""

import re
from typing import Any
from urllib.parse import parse_qsl

from devstack.neighbours.stripe.errors import ValidationFailedError

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")
_INDEX = re.compile(r"\d{1,4}", re.ASCII)


def parse_form(text: bytes | str) -> dict[str, Any]:
    """Parse the parameters of a body or a query string. Values are texts, lists or objects.

    `a[]=x&a[]=y` and `a[0]=x&a[1]=y` are lists. Raises ValidationFailedError for a name that is
    used in two ways, and for text that is not UTF-8.
    """
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        pairs = parse_qsl(
            decoded, keep_blank_values=True, strict_parsing=bool(decoded), errors="strict"
        )
    except ValueError:
        raise ValidationFailedError("Invalid request: the parameters cannot be decoded.") from None
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _put(tree, _path(name), value)
    return {name: _with_lists(value) for name, value in tree.items()}


def _path(name: str) -> list[str]:
    found = _NAME.fullmatch(name)
    if found is None:
        raise ValidationFailedError(f"Invalid parameter name: {name}", param=name)
    return [found[1], *_PART.findall(found[2])]


def _put(tree: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = path
    for each in parents:
        tree = tree.setdefault(each or str(len(tree)), {})
        if not isinstance(tree, dict):
            raise ValidationFailedError("Invalid object", param=path[0])
    key = last or str(len(tree))
    if isinstance(tree.get(key), dict):
        raise ValidationFailedError("Invalid object", param=path[0])
    tree[key] = value


def _with_lists(value: Any) -> Any:
    """Turn each object whose names are all numbers into a list."""
    if not isinstance(value, dict):
        return value
    members = {name: _with_lists(each) for name, each in value.items()}
    if all(map(_INDEX.fullmatch, members)):
        return [members[name] for name in sorted(members, key=int)]
    return members
