"""The `Idempotency-Key` header of draft-ietf-httpapi-idempotency-key-header.

The draft wants a quoted string; unquoted text is accepted too, because many clients send it.
"""

import re

from fastapi import Request

from api.request_errors import RequestError, RequestErrorCode

HEADER = "idempotency-key"
REPLAYED = {"idempotent-replayed": "true"}
"""The header of a response that was sent before for the same key."""

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_KEY = re.compile(r"[\x20-\x7e]{1,255}")


def idempotency_key(request: Request) -> str | None:
    """The request's key, None if it has none. Raises RequestError(INVALID_REQUEST)."""
    values = request.headers.getlist(HEADER)
    if not values:
        return None
    quoted = _QUOTED.fullmatch(values[0])
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else values[0]
    if len(values) > 1 or not _KEY.fullmatch(key) or (not quoted and '"' in key):
        raise RequestError(
            RequestErrorCode.INVALID_REQUEST,
            "Send one Idempotency-Key: 1 to 255 printable ASCII characters, with or without "
            "quotes.",
        )
    return key
