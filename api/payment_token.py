"""The token that the gateway's script has made for the card, so that we never see its number."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

PATTERN = "^(?!.*[0-9](_*[0-9]){11})(pm|ctoken)_[A-Za-z0-9_]{1,250}$"
"""Matches the ids of PaymentMethods and ConfirmationTokens of Stripe. Text with twelve digits in a
row does not match, because it may be a card number (12 to 19 digits, ISO/IEC 7812-1)."""
MAX_LETTERS = 257
_TOKEN = re.compile(PATTERN, re.ASCII)


def _token(value: object) -> object:
    """The value, if it is a token. No message repeats it, because it may be a card number."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_LETTERS or not _TOKEN.fullmatch(value):
        raise ValueError("must be a token such as pm_1AbC, and never a card number")
    return value


PaymentToken = Annotated[
    str | None,
    BeforeValidator(_token),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "pattern": PATTERN}, {"type": "null"}],
            "examples": ["pm_card_visa"],
        }
    ),
]
