"""What is wrong with the variables, in words.

The kind of a wrong value, what it must be, what it is for; the value itself, which may be a secret,
is never told.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic_core import ErrorDetails

NEAR = 0.9
"""A letter or two apart; less than that, and strangers' variables look like ours."""
REFUSED = "refused_in_production"
FILE_ERRORS = {"path_not_file", "path_type"}


def explain(error: ErrorDetails, setting: Mapping[str, Any]) -> str:
    """One line; `setting` is the setting's JSON schema."""
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
    """Each variable that is no setting but nearly one, with the setting that is not set."""
    given = {name.upper() for name in names}
    unset = set(settings) - given
    for name in sorted(given - set(settings)):
        for near in get_close_matches(name, unset, n=1, cutoff=NEAR):
            yield name, near
