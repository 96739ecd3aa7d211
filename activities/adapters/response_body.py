"""Reads the JSON of external services, whose spelling of ids, times and absent members differs."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, model_validator

from activities.adapters.json_client import MAX_RESPONSE_BYTES
from domain.text import readable

NIL_UUID = UUID(int=0)
MAX_DIGITS = 30
"""Most digits of an amount in a response. Our own amounts have fewer. Chosen, not measured."""
ZERO_TIME = "0001-01-01T00:00:00"
"""What Go and .NET write for a time that was never set."""
_UUID = re.compile(
    r"(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?",
    re.ASCII | re.IGNORECASE,
)
_HOURS_ONLY = re.compile(r"(:\d\d(?:\.\d+)?[+-]\d\d)$", re.ASCII)
"""The end of a time as PostgreSQL writes it: `20:52:38+00`."""
_ZONE_NAME = re.compile(r"\[[^\[\]]*\]$")
"""What Java's ZonedDateTime adds after the offset: `Z[UTC]`."""


def _normalized_time(time: object) -> object:
    if not isinstance(time, str):
        return time
    if time.startswith(ZERO_TIME):
        return None
    return _HOURS_ONLY.sub(r"\1:00", _ZONE_NAME.sub("", time))


def in_utc(time: datetime) -> datetime:
    """Set UTC if the time has no zone, because the services' contract has all times in UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _in_utc_if_set(time: datetime | None) -> datetime | None:
    return in_utc(time) if time else None


Time = Annotated[datetime | None, BeforeValidator(_normalized_time), AfterValidator(_in_utc_if_set)]
"""A time in ISO 8601 or in one of the forms above; None for the zero time."""


class ResponseBody(BaseModel):
    """Base of the models of response bodies. Reads text as one line without control characters.

    A member that is null, empty or the nil UUID counts as absent.
    """

    @model_validator(mode="before")
    @classmethod
    def _without_absent_members(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        members = {
            name: readable(value, MAX_RESPONSE_BYTES) if isinstance(value, str) else value
            for name, value in body.items()
        }
        return {name: value for name, value in members.items() if not _is_absent(value)}


def _is_absent(value: Any) -> bool:
    if not isinstance(value, str):
        return value is None
    return not value or read_uuid(value) == NIL_UUID


def read_uuid(text: object) -> UUID | None:
    """A UUID in any spelling: 32 digits, with hyphens, in braces or as a URN; else None."""
    spelled = _UUID.fullmatch(text) if isinstance(text, str) else None
    return UUID("".join(spelled.groups())) if spelled else None


def is_about(requested: UUID, *ids: str | None) -> bool:
    """True if one of the response's ids is the requested one, or if the response has no id."""
    found = [read_uuid(each) for each in ids if each is not None]
    return not found or requested in found
