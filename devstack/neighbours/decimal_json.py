"""Parses JSON without losing digits of numbers, and without confusing numbers with strings."""

import json
from decimal import Decimal
from typing import Any, Never


def loads_decimal(text: bytes | str) -> Any:
    """Parse JSON. Every number becomes a Decimal: `1.10` keeps its zero, and differs from `"1.10"`.

    Raises ValueError if the text is not JSON in UTF-8; NaN and infinities are not JSON.
    """
    try:
        return json.loads(text, parse_int=Decimal, parse_float=Decimal, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("too deeply nested") from None


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")
