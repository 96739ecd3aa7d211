"""The error codes that any request may get, and that of a bug in this service."""

from enum import StrEnum

from domain.errors import MAX_MESSAGE
from domain.text import readable


class RequestErrorCode(StrEnum):
    INVALID_REQUEST = "INVALID_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    INSUFFICIENT_SCOPE = "INSUFFICIENT_SCOPE"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    REQUEST_TOO_SLOW = "REQUEST_TOO_SLOW"
    HEADERS_TOO_LARGE = "HEADERS_TOO_LARGE"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    INTERNAL_ERROR = "INTERNAL_ERROR"


class RequestError(Exception):
    """A request is refused. The code is stable, the message is for people."""

    def __init__(self, code: RequestErrorCode, message: str) -> None:
        self.code = code
        self.message = readable(message, MAX_MESSAGE)
        super().__init__(self.message)
