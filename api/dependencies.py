"""What the routes are given: built once in `api/main.py`, found on the application's state."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from api.readiness import Readiness
from api.redis import PaymentCache, RateLimit
from api.sagas import PaymentSagas
from db.idempotency import IdempotencyKeys
from db.payments import PaymentStore


@dataclass(frozen=True)
class Parts:
    payments: PaymentStore
    keys: IdempotencyKeys
    sagas: PaymentSagas
    cache: PaymentCache
    rate_limit: RateLimit
    readiness: Readiness


def _parts(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


FromParts = Annotated[Parts, Depends(_parts)]


class TooManyRequests(Exception):  # noqa: N818 (HTTP's own name for it)
    def __init__(self, seconds_to_wait: int) -> None:
        super().__init__(f"try again in {seconds_to_wait} s")
        self.seconds_to_wait = seconds_to_wait


async def limit_rate(request: Request, parts: FromParts) -> None:
    """Raises TooManyRequests for a caller that has used up its share."""
    caller = request.client.host if request.client else "unknown"
    seconds = await parts.rate_limit.seconds_to_wait(caller)
    if seconds:
        raise TooManyRequests(seconds)
