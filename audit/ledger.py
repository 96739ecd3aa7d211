"""Groups the entries of the gateway's ledger by order."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from activities.audit_ports import Effect, LedgerEntry, UnreadableEntry


@dataclass
class Ledger:
    """Every capture and refund by order, and the orders that have a recent one."""

    effects: dict[UUID, list[Effect]] = field(default_factory=lambda: defaultdict(list))
    recent_orders: set[UUID] = field(default_factory=set)
    without_capture: list[Effect] = field(default_factory=list)
    """Refunds of charges that were never captured. They do not name their order."""
    unreadable: list[str] = field(default_factory=list)


def group_by_order(entries: Iterable[LedgerEntry | UnreadableEntry], since: datetime) -> Ledger:
    """Group the entries, which may come in any order. An entry is recent from `since` on."""
    ledger, readable = Ledger(), []
    for entry in entries:
        if isinstance(entry, UnreadableEntry):
            ledger.unreadable.append(entry.finding)
        else:
            readable.append(entry)
    orders = {each.effect.charge_key: each.order_id for each in readable if each.order_id}
    for entry in readable:
        order_id = orders.get(entry.effect.charge_key)
        if order_id is None:
            ledger.without_capture.append(entry.effect)
        else:
            ledger.effects[order_id].append(entry.effect)
            if entry.recorded_at >= since:
                ledger.recent_orders.add(order_id)
    return ledger
