"""The scenarios of the simulation, and groups of them."""

from enum import StrEnum

from domain.gateways import GatewayName


class Scenario(StrEnum):
    """What happens in a case without its faults."""

    PAID = "paid"
    UNRESERVED = "unreserved"
    DECLINED = "declined"
    LAPSING = "lapsing"
    """The reservation expires 30 minutes after the request."""
    UNRECORDABLE = "unrecordable"
    """The database refuses to record the success, so that the payment is refunded."""
    REJECTED = "rejected"
    """The order is not pending."""
    REATTEMPTED = "reattempted"
    """The charge is declined. Consumers keep the order open, and another attempt is allowed."""

    # A run was lost before, and left this behind.
    CLAIMED = "claimed"
    """A pending row and nothing else."""
    STALE = "stale"
    """A pending row and a capture, a day ago; the gateway has forgotten the key."""
    UNPUBLISHED = "unpublished"
    """A success whose event is due."""
    BEGUN = "begun"
    """A success whose event may be out."""
    UNDONE = "undone"
    """A pending row that is being undone, and a capture."""
    UNDONE_SUCCESS = "undone-success"
    """A success, its event due, that is being undone."""
    REFUNDED = "refunded"
    """A success, its event due, whose capture version 0.1.0 has refunded."""
    FAILED_BESIDE_SUCCESS = "failed-beside-success"
    """A failure whose event is due, and another payment that has paid the order."""
    FAILED_BESIDE_PENDING = "failed-beside-pending"
    """As version 0.1.0 leaves it: a failure whose event may be out, and a young pending payment."""

    # These are at a gateway that opens. Those above are at the simulator.
    STRIPE_PAID = "stripe-paid"
    STRIPE_DECLINED = "stripe-declined"
    STRIPE_LAPSING = "stripe-lapsing"
    STRIPE_UNRECORDABLE = "stripe-unrecordable"
    STRIPE_CLAIMED = "stripe-claimed"
    """A pending row without a reference."""
    STRIPE_OPEN = "stripe-open"
    """A pending row, and its attempt is open."""
    STRIPE_AUTHORIZED = "stripe-authorized"
    """A pending row, and its attempt is authorized."""
    STRIPE_STALE = "stripe-stale"
    """A pending row and a capture, a day ago; the gateway has forgotten the key."""
    STRIPE_UNPUBLISHED = "stripe-unpublished"
    """A success whose event is due."""
    STRIPE_UNDONE = "stripe-undone"
    """A pending row that is being undone, and a capture."""

    # These, too, are at a gateway that opens. The customer must act there.
    STRIPE_ASKED = "stripe-asked"
    """The bank asks the customer, who confirms before the second look."""
    STRIPE_NOT_AUTHENTICATED = "stripe-not-authenticated"
    """The bank asks the customer to confirm (3-D Secure), and the authentication fails."""
    STRIPE_ABANDONED = "stripe-abandoned"
    """The bank asks the customer, who never answers."""
    STRIPE_PAGE = "stripe-page"
    """The customer pays on the gateway's own page, before the second look."""
    STRIPE_PAGE_ABANDONED = "stripe-page-abandoned"
    """The customer never pays on the gateway's own page."""
    STRIPE_WAITING = "stripe-waiting"
    """A lost run has left a pending row that waits. The customer confirms before a second look."""
    STRIPE_WAIT_UNRECORDED = "stripe-wait-unrecorded"
    """A lost run has left an attempt that waits for its customer. The wait is not recorded."""


FRESH = frozenset(
    {
        Scenario.PAID,
        Scenario.UNRESERVED,
        Scenario.DECLINED,
        Scenario.LAPSING,
        Scenario.UNRECORDABLE,
        Scenario.REJECTED,
        Scenario.REATTEMPTED,
        Scenario.STRIPE_PAID,
        Scenario.STRIPE_DECLINED,
        Scenario.STRIPE_LAPSING,
        Scenario.STRIPE_UNRECORDABLE,
        Scenario.STRIPE_ASKED,
        Scenario.STRIPE_NOT_AUTHENTICATED,
        Scenario.STRIPE_ABANDONED,
        Scenario.STRIPE_PAGE,
        Scenario.STRIPE_PAGE_ABANDONED,
    }
)
"""These scenarios begin with a new payment; all others with records of a terminated workflow."""

AT_STRIPE = frozenset(each for each in Scenario if each.startswith("stripe-"))
WAITING = frozenset(
    {
        Scenario.STRIPE_ASKED,
        Scenario.STRIPE_NOT_AUTHENTICATED,
        Scenario.STRIPE_ABANDONED,
        Scenario.STRIPE_PAGE,
        Scenario.STRIPE_PAGE_ABANDONED,
        Scenario.STRIPE_WAITING,
        Scenario.STRIPE_WAIT_UNRECORDED,
    }
)
"""In these scenarios the customer must act."""
ON_A_PAGE = frozenset({Scenario.STRIPE_PAGE, Scenario.STRIPE_PAGE_ABANDONED})
STALE = frozenset({Scenario.STALE, Scenario.STRIPE_STALE})
LAPSING = frozenset({Scenario.LAPSING, Scenario.STRIPE_LAPSING})


def at(gateway: GatewayName | None) -> list[Scenario]:
    """The scenarios at this gateway, or all scenarios."""
    if gateway is None:
        return list(Scenario)
    return [each for each in Scenario if (each in AT_STRIPE) is (gateway is GatewayName.STRIPE)]
