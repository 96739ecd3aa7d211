"""The pauses between the rounds of a step, and the time after which it is given up."""

from datetime import timedelta
from typing import NamedTuple


class Pauses(NamedTuple):
    """The pauses between the rounds of a step. Each is twice the one before, up to the longest."""

    first: timedelta
    longest: timedelta


PAUSES = Pauses(timedelta(seconds=60), timedelta(seconds=3600))
"""The pauses of steps that are retried until they succeed. Chosen, not measured."""

CHECK_PAUSES = Pauses(timedelta(seconds=60), timedelta(seconds=600))
"""The pauses between requests to Ordering and Inventory after a capture. In a day these requests
add some 2,000 events to the history, which may have 51,200."""

LOOKS = Pauses(timedelta(seconds=10), timedelta(seconds=120))
"""The pauses between looks at an attempt that waits for its customer, if there is no event. In two
minutes there are four looks. Stripe allows some 20 requests a second for the whole account. Chosen,
not measured."""

RECORDING_PAUSES = Pauses(timedelta(seconds=5), timedelta(seconds=60))
"""The pauses between tries to record a success. The order is verified again after each pause.
Chosen, not measured."""

RECORDING_TIME = timedelta(seconds=600)
"""How long recording a success is retried; after that, the capture is refunded. Longer than a
failover of PostgreSQL takes. Chosen, not measured."""
