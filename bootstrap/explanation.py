"""Messages about wrong settings.

A message says what kind of value was found, what it must be, and what the setting is for. It never
contains the value, which may be a secret.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

NEAR = 0.9
"""How similar (0 to 1) a misspelt name is to that of a setting: one or two letters differ. With a
lower value, variables of other programs would be reported too."""
REFUSED = "refused_in_production"
FILE_ERRORS = {"path_not_file", "path_type"}


def explain(error: ErrorDetails, setting: Mapping[str, Any]) -> str:
    """The message about one setting, as one line; `setting` is its JSON schema."""
    name = str(error["loc"][0]).upper()
    if error["type"] == REFUSED:
        complaint = f"{error['msg']}; production refuses that"
    else:
        complaint = f"{_kind(error['input'])}, must be {_form(error, setting)}"
    return f"  {name}: {complaint}. {setting['description']}"


def _kind(value: Any) -> str:
    text = "" if value is None else str(value).strip()
    if not text:
        return "is missing or empty"
    if "://" in text:
        return "is a URL"
    return "is a number" if _is_number(text) else "is text"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _form(error: ErrorDetails, setting: Mapping[str, Any]) -> str:
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])
    if error["type"] in FILE_ERRORS:
        return "a file that can be read"
    example = setting.get("examples", [setting.get("default")])[0]
    return f"{_range(setting)} such as {example}"


def _range(setting: Mapping[str, Any]) -> str:
    match setting:
        case {"enum": options}:
            return f"{' or '.join(options)},"
        case {"type": "integer", "minimum": low, "maximum": high}:
            return f"a whole number from {low} to {high},"
        case {"type": "number", "exclusiveMinimum": low, "maximum": high}:
            return f"a number above {low} and up to {high},"
    return "a URL"


def misspelt(names: Iterable[str], settings: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each variable that is probably a misspelt setting, with that setting, which is not set."""
    given = {name.upper() for name in names}
    unset = set(settings) - given
    for name in sorted(given - set(settings)):
        for near in get_close_matches(name, unset, n=1, cutoff=NEAR):
            yield name, near
