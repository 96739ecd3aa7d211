"""Text from other systems, made safe for database rows, events, histories and web pages."""

import re
from typing import Annotated

from pydantic import AfterValidator

MAX_LETTERS = 255
"""Longest text that is kept, in characters. Messages of declined cards are shorter. Chosen, not
measured."""

_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters (PostgreSQL refuses NUL), and characters that change the reading direction and
so can make a text look like another one."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def readable(text: str, max_letters: int = MAX_LETTERS) -> str:
    """`text` in one line, without control characters, cut to `max_letters`.

    A lone surrogate, which UTF-8 cannot encode, becomes U+FFFD.
    """
    shown = _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", _SPACE.sub(" ", text)))
    return shown.strip()[:max_letters]


Text = Annotated[str, AfterValidator(readable)]
Lower = Annotated[Text, AfterValidator(str.lower)]
Upper = Annotated[Text, AfterValidator(str.upper)]
