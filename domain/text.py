"""Text that other systems wrote, made safe to keep in a row, an event, a history and a page."""

import re
from typing import Annotated

from pydantic import AfterValidator

MAX_LETTERS = 255
"""Of one text of another system: more than any decline says. Chosen, not measured."""

_SPACE = re.compile(r"\s+")
_INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
"""Control characters, of which PostgreSQL takes no NUL, and those that turn the reading direction,
with which a text can be shown as another one."""
_SURROGATE = re.compile("[\ud800-\udfff]")


def readable(text: str, max_letters: int = MAX_LETTERS) -> str:
    """`text` in one line, without control characters, cut to `max_letters`.

    A lone surrogate, which has no form in UTF-8, becomes U+FFFD.
    """
    shown = _SURROGATE.sub("\ufffd", _INVISIBLE.sub("", _SPACE.sub(" ", text)))
    return shown.strip()[:max_letters]


Text = Annotated[str, AfterValidator(readable)]
Lower = Annotated[Text, AfterValidator(str.lower)]
Upper = Annotated[Text, AfterValidator(str.upper)]
