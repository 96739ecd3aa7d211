"""Errors with the shape of Stripe's: https://docs.stripe.com/api/errors."""

from collections.abc import Mapping
from typing import Any


class StripeError(Exception):
    """Becomes the response `{"error": {"type": …, "message": …, …}}` with this status.

    `members` are further members of the error, such as `code` and `param`.
    """

    def __init__(
        self, status: int, message: str, error_type: str = "invalid_request_error", **members: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.members = {"type": error_type, "message": message, **members}
        self.headers: Mapping[str, str] = {}

    @property
    def body(self) -> dict[str, Any]:
        return {"error": self.members}


class ValidationFailedError(StripeError):
    """A parameter is wrong. The request is not executed, and no response is saved for its key."""

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(400, message, **members)


class NotExecutedError(StripeError):
    """The request is refused (401, 403, 409, 429). It is not executed, and nothing is saved."""


def resource_missing(kind: str, identifier: str, *, param: str, status: int) -> StripeError:
    """The error for an unknown id: status 404 if it is in the URL, 400 if it is a parameter."""
    message = f"No such {kind}: '{identifier}'"
    return StripeError(status, message, code="resource_missing", param=param)


def rate_limited(reason: str) -> StripeError:
    """The error for too many requests: https://docs.stripe.com/rate-limits."""
    error = NotExecutedError(
        429, "Request rate limit exceeded. Send fewer requests.", code="rate_limit"
    )
    error.headers = {"Stripe-Rate-Limited-Reason": reason}
    return error


def locked() -> StripeError:
    """The error for a locked object: https://docs.stripe.com/rate-limits#object-lock-timeouts."""
    error = NotExecutedError(
        429,
        "This object cannot be accessed right now because another API request or Stripe process "
        "is currently accessing it.",
        code="lock_timeout",
    )
    error.headers = {"Stripe-Should-Retry": "true"}
    return error
