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
    """A parameter is wrong, so execution never begins: the response is not saved under the key."""

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(400, message, **members)


class NotExecutedError(StripeError):
    """The request is refused before it is executed (401, 409, 429): nothing is saved."""


def resource_missing(kind: str, identifier: str, *, param: str, status: int) -> StripeError:
    """404 if the id stands in the URL, 400 if it is the value of a parameter."""
    message = f"No such {kind}: '{identifier}'"
    return StripeError(status, message, code="resource_missing", param=param)


def rate_limited(reason: str) -> StripeError:
    """As https://docs.stripe.com/rate-limits describes."""
    error = NotExecutedError(
        429, "Request rate limit exceeded. Send fewer requests.", code="rate_limit"
    )
    error.headers = {"Stripe-Rate-Limited-Reason": reason}
    return error


def locked() -> StripeError:
    """As https://docs.stripe.com/rate-limits#object-lock-timeouts describes."""
    error = NotExecutedError(
        429,
        "This object cannot be accessed right now because another API request or Stripe process "
        "is currently accessing it.",
        code="lock_timeout",
    )
    error.headers = {"Stripe-Should-Retry": "true"}
    return error
