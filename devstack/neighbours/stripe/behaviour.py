"""How the double behaves: settings that a test or an operator changes while it runs."""

from typing import Annotated, Literal

from pydantic import Field

from devstack.neighbours.json_models import JsonModel
from devstack.neighbours.stripe.checkout_records import DisputeStatus
from devstack.neighbours.stripe.records import IntentStatus, RefundStatus

Operation = Literal[
    "create", "confirm", "capture", "cancel", "refund", "create_session", "expire_session"
]
Act = Literal["pay", "confirm", "decline", "fail", "abandon"]
"""What a customer does who must act.

On Stripe's page: `pay` pays; `confirm` uses a card whose bank asks, and confirms; `decline` uses a
card that is declined; `fail` does not confirm at the bank; `abandon` leaves. At the bank: `pay` and
`confirm` confirm; `decline` confirms a card that is then declined; `fail` does not confirm;
`abandon` leaves.
"""
Share = Annotated[float, Field(ge=0, le=1)]


class EventBehaviour(JsonModel):
    """How events are sent. The numbers are shares of all events, 0 to 1.

    Events in the share `lose` are never sent, those in `double` are sent twice with the same id,
    those in `tell_twice` are two events with different ids, and those in `reorder` are sent half a
    second later than the others. Events are sent `delay_ms` after the change, and again until the
    endpoint accepts them.

    For events in the shares `forge`, `foreign` and `live`, a copy with another id is sent, too: it
    is signed with a wrong secret, belongs to another account, or comes from live mode.

    `sign` says which secrets sign the events: the endpoint's current one, its previous one, both as
    during a rotation, or one that the endpoint never had.
    """

    lose: Share = 0
    double: Share = 0
    tell_twice: Share = 0
    reorder: Share = 0
    delay_ms: int = Field(default=0, ge=0)
    forge: Share = 0
    foreign: Share = 0
    live: Share = 0
    sign: Literal["current", "previous", "both", "wrong"] = "current"


class Behaviour(JsonModel):
    """Settings of all orders, or of one.

    `success_rate` is the share of good cards whose charge succeeds, 0 to 1. `latency_ms` is the
    duration of a confirmation. `refund` is the first status of a refund. If `refund_ends` is set,
    it is the status from `refund_ends_after_ms` on.

    `customer` lists the acts of the customer without a browser. Each happens `customer_after_ms`
    after the payment began to wait, or after the previous act.
    """

    success_rate: Share = 1.0
    latency_ms: int = Field(default=0, ge=0, le=600_000)
    refund: RefundStatus = "succeeded"
    refund_ends: Literal["succeeded", "failed"] | None = None
    refund_ends_after_ms: int = Field(default=0, ge=0)
    customer: tuple[Act, ...] = ()
    customer_after_ms: int = Field(default=0, ge=0)
    events: EventBehaviour = EventBehaviour()


class Limits(JsonModel):
    """Settings of the whole account.

    `requests_per_second` is the limit for one endpoint, or 0 for no limit; the limit for all
    endpoints together is four times that, as in live mode. The search finds a change after
    `search_delay_ms`. If `is_key_revoked`, every request gets a 401. Requests to paths that begin
    with one of `forbidden` get a 403, as with a restricted key.
    """

    requests_per_second: int = Field(default=25, ge=0)
    search_delay_ms: int = Field(default=60_000, ge=0)
    is_key_revoked: bool = False
    forbidden: tuple[str, ...] = ()


class Fault(JsonModel):
    """The next `times` requests of this operation get a 500, which is saved under their key.

    If `has_effect`, the request is executed first.
    """

    operation: Operation
    has_effect: bool = False
    times: int = Field(default=1, ge=1)


class IntentChange(JsonModel):
    """A new status that does not come from a request of ours."""

    status: IntentStatus


class RefundChange(JsonModel):
    status: Literal["succeeded", "failed"]


class CustomerAct(JsonModel):
    """What the customer does: `{"as": "pay"}`."""

    act: Act = Field(alias="as")


class DisputeChange(JsonModel):
    status: DisputeStatus = "needs_response"
