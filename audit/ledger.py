"""Read the gateway's ledger: every capture and refund, grouped by order."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx

from audit.books import Effect, Movement
from domain import exact_json
from domain.money import Money

PAGE = 5000
"""Entries asked for at once: a few megabytes. Chosen, not measured."""
MOVEMENTS = {"charge.captured": Movement.CAPTURE, "refund.succeeded": Movement.REFUND}
WITHOUT_MONEY = frozenset(
    {"charge.declined", "charge.voided", "settings.changed", "order_settings.changed"}
)


@dataclass
class Ledger:
    """Every movement of money, and the orders for which any was recent."""

    effects: dict[UUID, list[Effect]] = field(default_factory=lambda: defaultdict(list))
    moved: set[UUID] = field(default_factory=set)
    stray: list[Effect] = field(default_factory=list)
    """Refunds of charges that were never captured: nobody says of which order they are."""
    unreadable: list[str] = field(default_factory=list)


async def read_ledger(gateway: httpx.AsyncClient, since: datetime) -> Ledger:
    """Read all pages. `moved` are the orders for which money moved since then.

    Raises httpx.HTTPError or ValueError if a page is not a list of JSON.
    """
    reader = LedgerReader(since)
    after = 0
    while entries := await _page(gateway, after):
        for entry in entries:
            reader.read(entry)
        if (last := max(map(_sequence, entries))) <= after:
            break  # a ledger without sequence numbers, which answers all of it at once
        after = last
    return reader.ledger()


async def _page(gateway: httpx.AsyncClient, after: int) -> list[Any]:
    answer = await gateway.get("/ledger", params={"after": after, "limit": PAGE})
    entries = exact_json.loads(answer.raise_for_status().content)
    if not isinstance(entries, list):
        raise ValueError("The ledger is not a list.")  # noqa: TRY004 (JSON of another shape)
    return [each for each in entries if not 0 < _sequence(each) <= after]


def _sequence(entry: Any) -> int:
    """The entry's sequence number; 0 if it has none."""
    number = entry.get("seq") if isinstance(entry, dict) else None
    return int(number) if isinstance(number, str) and number.isdecimal() else 0


class LedgerReader:
    """Takes entries in any order; what is no entry is noted and left out."""

    def __init__(self, since: datetime) -> None:
        self._since = since
        self._owners: dict[str, UUID] = {}
        self._effects: list[Effect] = []
        self._recent: set[str] = set()
        self._unreadable: list[str] = []
        self._count = 0

    def read(self, entry: Any) -> None:
        self._count += 1
        try:
            self._note(entry)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            what = f"entry {self._count} of the gateway's ledger ({type(error).__name__})"
            self._unreadable.append(what)

    def _note(self, entry: Any) -> None:
        if entry["type"] in WITHOUT_MONEY:
            return
        effect = _effect(MOVEMENTS[entry["type"]], entry["data"])
        is_recent = datetime.fromisoformat(entry["at"]) >= self._since
        if effect.movement is Movement.CAPTURE:
            self._owners[effect.charge_key] = UUID(entry["data"]["orderId"])
        self._effects.append(effect)
        if is_recent:
            self._recent.add(effect.charge_key)

    def ledger(self) -> Ledger:
        ledger = Ledger(unreadable=self._unreadable)
        for effect in self._effects:
            if owner := self._owners.get(effect.charge_key):
                ledger.effects[owner].append(effect)
            else:
                ledger.stray.append(effect)
        ledger.moved = set(self._moved())
        return ledger

    def _moved(self) -> Iterator[UUID]:
        return (self._owners[key] for key in self._recent if key in self._owners)


def _effect(movement: Movement, data: dict[str, Any]) -> Effect:
    amount = Money.read(data["amount"], data["currency"])
    charge_key = data["key"] if movement is Movement.CAPTURE else data["chargeKey"]
    if not isinstance(data["key"], str) or not isinstance(charge_key, str):
        raise TypeError("A key is not text.")
    return Effect(movement, data["key"], charge_key, amount)
