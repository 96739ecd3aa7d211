"""Reads the gateway's ledger over HTTP, page by page, for the audit."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import httpx

from activities.audit_ports import Effect, GatewayLedger, LedgerEntry, Movement, UnreadableEntry
from domain import exact_json
from domain.money import Money

PAGE_SIZE = 5000
"""Entries per request: a few megabytes. Chosen, not measured."""
MOVEMENTS: Mapping[str, Movement] = MappingProxyType(
    {
        "charge.captured": Movement.CAPTURE,
        "refund.succeeded": Movement.REFUND,
        "refund.failed": Movement.RETURN,
    }
)
WITHOUT_MONEY = frozenset(
    {"charge.declined", "charge.voided", "settings.changed", "order_settings.changed"}
)
"""Types of entries that move no money. A type that is in neither table is unreadable: it may move
money."""


class AllLedgers:
    """Implements `GatewayLedger` with the ledgers of several gateways, one after the other."""

    def __init__(self, ledgers: Sequence[GatewayLedger]) -> None:
        self._ledgers = ledgers

    async def entries(self) -> AsyncIterator[LedgerEntry | UnreadableEntry]:
        for ledger in self._ledgers:
            async for entry in ledger.entries():
                yield entry


class HttpGatewayLedger:
    """Implements `GatewayLedger`. Raises httpx.HTTPError, or ValueError if a page is not a list."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def entries(self) -> AsyncIterator[LedgerEntry | UnreadableEntry]:
        after = position = 0
        while page := await self._page(after):
            for entry in page:
                position += 1
                if (read := read_entry(entry, position)) is not None:
                    yield read
            if (last := max(map(_sequence_number, page))) <= after:
                break  # a gateway without sequence numbers sends its whole ledger at once
            after = last

    async def _page(self, after: int) -> list[Any]:
        """The entries with a sequence number above `after`, and those without a number."""
        response = await self._http.get("/ledger", params={"after": after, "limit": PAGE_SIZE})
        entries = exact_json.loads(response.raise_for_status().content)
        if not isinstance(entries, list):
            raise ValueError("The ledger is not a list.")  # noqa: TRY004 (JSON of another shape)
        return [each for each in entries if not 0 < _sequence_number(each) <= after]


def _sequence_number(entry: Any) -> int:
    """The entry's sequence number; 0 if it has none."""
    number = entry.get("seq") if isinstance(entry, dict) else None
    return int(number) if isinstance(number, str) and number.isdecimal() else 0


def read_entry(entry: Any, position: int) -> LedgerEntry | UnreadableEntry | None:
    """Read the entry at this position of the ledger, from 1; None if it moves no money."""
    try:
        if entry["type"] in WITHOUT_MONEY:
            return None
        return _to_entry(MOVEMENTS[entry["type"]], entry["data"], entry["at"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return UnreadableEntry(f"entry {position} of the gateway's ledger ({type(error).__name__})")


def _to_entry(movement: Movement, data: dict[str, Any], at: str) -> LedgerEntry:
    is_capture = movement is Movement.CAPTURE
    key, charge_key = data["key"], data["key" if is_capture else "chargeKey"]
    if not isinstance(key, str) or not isinstance(charge_key, str):
        raise TypeError("A key is not text.")
    effect = Effect(movement, key, charge_key, Money.read(data["amount"], data["currency"]))
    recorded_at = datetime.fromisoformat(at)
    if recorded_at.tzinfo is None:
        raise ValueError("The time has no zone.")
    return LedgerEntry(effect, UUID(data["orderId"]) if is_capture else None, recorded_at)
