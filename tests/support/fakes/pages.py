"""Pages of unfinished payments or refunds, as the stores read them."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from domain.payment import Payment
from domain.reconciliation import RowPosition
from domain.refund import Refund

Unfinished = TypeVar("Unfinished", Payment, Refund)


def pages(
    unfinished: Iterable[Unfinished], moment: datetime, after: RowPosition | None
) -> Iterator[Sequence[Unfinished]]:
    """Pages of two, oldest first."""
    places = {RowPosition(each.created_at, each.id): each for each in unfinished}
    wanted = [
        places[place]
        for place in sorted(places)
        if place.created_at < moment and (after is None or place > after)
    ]
    for start in range(0, len(wanted), 2):
        yield wanted[start : start + 2]
