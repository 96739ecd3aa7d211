"""Customers of payments at Stripe: how they pay and confirm, and the faults of their events."""

from random import Random
from typing import Any, NamedTuple

PAGE = "page"
"""This stands in `CARDS` for a customer who has no token and pays on Stripe's own page."""
ASKING = "pm_card_authenticationRequired"
CARDS = (
    *["pm_card_visa"] * 10,
    *[ASKING] * 4,
    *[PAGE] * 4,
    *("pm_card_chargeDeclined", "pm_card_nobody"),
)
"""How customers pay. Most are charged at once."""
TOKENS = frozenset(CARDS) - {PAGE}
ACTS = {
    ASKING: (["pay"], ["pay"], ["fail"], ["decline"], []),
    PAGE: (["pay"], ["confirm"], ["decline", "pay"], ["fail", "abandon", "confirm"], ["decline"]),
}
"""What the customer of such a payment does, one act after the other. Some never confirm."""
WAIT_SECONDS = 60
"""How long a payment waits for its customer, the shortest time that can be set."""
EVENTS = {
    "lose": 0.2,
    "double": 0.2,
    "tellTwice": 0.1,
    "reorder": 0.2,
    "forge": 0.2,
    "foreign": 0.1,
    "live": 0.1,
}
"""The share of events with each fault, 0 to 1."""


class StripeCustomer(NamedTuple):
    """How one customer pays, and the settings of the double of Stripe for the customer's order."""

    token: str | None
    behaviour: dict[str, Any]

    @classmethod
    def drawn(cls, dice: Random) -> "StripeCustomer":
        card = dice.choice(CARDS)
        acts = dice.choice(ACTS.get(card, ([],)))
        behaviour = {
            "customer": acts,
            "customerAfterMs": dice.choice((0, 300, 3_000, 1_000 * WAIT_SECONDS)),
            "events": {**EVENTS, "delayMs": dice.choice((0, 0, 2_000))},
        }
        return cls(None if card == PAGE else card, behaviour)
