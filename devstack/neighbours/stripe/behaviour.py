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
"""What a customer does who is asked to act.

On Stripe's page: pays, pays with a card whose bank asks and confirms, tries a card that is
declined, does not confirm at the bank, leaves. At the bank: confirms (`pay` or `confirm`), confirms
a card that is then declined, does not confirm, leaves.
"""
Share = Annotated[float, Field(ge=0, le=1)]


class EventBehaviour(JsonModel):
    """What happens to events before they arrive. The numbers are shares of all events, 0 to 1.

    `lose`: never sent. `double`: sent twice, with the same id. `tell_twice`: the change has
    two events with different ids. `reorder`: sent half a second later than the others. All are sent
    `delay_ms` after the change, and again until the endpoint accepts them.

    `forge`, `foreign`, `live`: beside the event, one with another id is sent that is signed with a
    wrong secret, belongs to another account, or comes from live mode.

    `sign` says which of the endpoint's secrets sign: the current one, the one before it, both as
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
    time that a confirmation takes. `refund` says how a refund begins; if `refund_ends` is set, it
    becomes that at the first look after `refund_ends_after_ms`.

    `customer` is what the customer does without a browser, one act after the other, each
    `customer_after_ms` after the payment began to wait or the act before.
    """

    success_rate: float = Field(default=1.0, ge=0, le=1)
    latency_ms: int = Field(default=0, ge=0, le=600_000)
    refund: RefundStatus = "succeeded"
    refund_ends: Literal["succeeded", "failed"] | None = None
    refund_ends_after_ms: int = Field(default=0, ge=0)
    customer: tuple[Act, ...] = ()
    customer_after_ms: int = Field(default=0, ge=0)
    events: EventBehaviour = EventBehaviour()


class Limits(JsonModel):
    """Settings of the whole account.

    `requests_per_second` for one endpoint, 0 for no limit; four times as many in all, as in live
    mode. `search_delay_ms` passes until a search finds a change. If `is_key_revoked`, every request
    gets a 401; requests to paths that begin with one of `forbidden` get a 403, as with a restricted
    key.
    """

    requests_per_second: int = Field(default=25, ge=0)
    search_delay_ms: int = Field(default=60_000, ge=0)
    is_key_revoked: bool = False
    forbidden: tuple[str, ...] = ()


class Fault(JsonModel):
    """The next `times` requests of this operation get a 500, which is saved under their key.

    If `has_effect`, the request is carried out first.
    """

    operation: Operation
    has_effect: bool = False
    times: int = Field(default=1, ge=1)


class IntentChange(JsonModel):
    """A state that Stripe, the bank or the customer brings about, without a request of ours."""

    status: IntentStatus


class RefundChange(JsonModel):
    status: Literal["succeeded", "failed"]


class CustomerAct(JsonModel):
    """`{"as": "pay"}`: what the customer does."""

    act: Act = Field(alias="as")


class DisputeChange(JsonModel):
    status: DisputeStatus = "needs_response"
