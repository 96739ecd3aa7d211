"""Lists of payments over HTTP: the query, the page and its cursor."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from api.schemas import Id, PaymentBody
from db.search import Position, Search
from domain.payment import Payment, PaymentStatus

MIN_TIME, MAX_TIME = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""Every part of the system can represent the times between these, in every time zone."""


def _position(text: object) -> Position:
    try:
        return _decoded(str(text))
    except (ValueError, TypeError):
        raise ValueError("must be the nextCursor of another page") from None


def _decoded(cursor: str) -> Position:
    moment, _, payment_id = urlsafe_b64decode(cursor).decode().partition(" ")
    created_at = datetime.fromisoformat(moment)
    if not MIN_TIME <= created_at < MAX_TIME:
        raise ValueError("out of range")
    return Position(created_at, UUID(payment_id))


def _cursor(payment: Payment) -> str:
    return urlsafe_b64encode(f"{payment.created_at.isoformat()} {payment.id}".encode()).decode()


Time = Annotated[AwareDatetime, Field(ge=MIN_TIME, lt=MAX_TIME)]
Cursor = Annotated[Position, BeforeValidator(_position), WithJsonSchema({"type": "string"})]


class PaymentQuery(BaseModel):
    """The query of a list of payments. Unknown parameters are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)

    order_id: Id | None = None
    customer_id: Id | None = None
    status: PaymentStatus | None = None
    created_from: Time | None = None
    created_before: Time | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: Cursor | None = None

    def to_search(self, owner_id: UUID | None) -> Search:
        return Search(
            owner_id=owner_id,
            order_id=self.order_id,
            customer_id=self.customer_id,
            status=self.status,
            created_from=self.created_from,
            created_before=self.created_before,
            after=self.cursor,
        )


class PaymentPage(BaseModel):
    """Payments, the newest first.

    Send `nextCursor` as `cursor` to get the next page. It is null on the last page.
    """

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    success: bool = True
    error_message: str | None = None
    payments: list[PaymentBody]
    next_cursor: str | None

    @classmethod
    def of(cls, found: Sequence[Payment], limit: int) -> dict[str, Any]:
        """The page with the first `limit` payments. If more are found, there is a next page."""
        shown = found[:limit]
        page = cls(
            payments=[PaymentBody.of(payment.as_shown_to_callers) for payment in shown],
            next_cursor=_cursor(shown[-1]) if len(found) > limit else None,
        )
        return page.model_dump(by_alias=True)
