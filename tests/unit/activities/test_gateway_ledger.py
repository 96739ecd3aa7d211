"""The gateway's ledger is read completely, and no content of an entry makes reading fail."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.adapters.gateway_ledger import AllLedgers, HttpGatewayLedger, read_entry
from activities.audit_ports import Effect, LedgerEntry, Movement
from audit.ledger import Ledger, group_by_order
from domain.money import Money
from tests.support.builders import HOUR

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ORDER = uuid4()
CAPTURE: dict[str, Any] = {
    "seq": 1,
    "type": "charge.captured",
    "at": NOW.isoformat(),
    "data": {"key": "c", "orderId": str(ORDER), "amount": "150.00", "currency": "USD"},
}
REFUND: dict[str, Any] = {
    "seq": 2,
    "type": "refund.succeeded",
    "at": NOW.isoformat(),
    "data": {"key": "r", "chargeKey": "c", "amount": "50.00", "currency": "USD"},
}
CAPTURED = Effect(Movement.CAPTURE, "c", "c", Money.parse("150.00", "USD"))
REFUNDED = Effect(Movement.REFUND, "r", "c", Money.parse("50.00", "USD"))

JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
"""Any value that `exact_json` reads."""
PATHS = ("type", "at", "data", "data.key", "data.orderId", "data.chargeKey", "data.amount", "seq")


def ledger_of(entries: Sequence[Any], since: datetime = NOW - HOUR) -> Ledger:
    read = (read_entry(entry, number) for number, entry in enumerate(entries, 1))
    return group_by_order((each for each in read if each is not None), since)


def changed(entry: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The entry with one value replaced."""
    copy: dict[str, Any] = json.loads(json.dumps(entry))
    *parents, last = path.split(".")
    inner = copy
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return copy


@pytest.mark.parametrize("entries", [[CAPTURE, REFUND], [REFUND, CAPTURE]])
def test_movements_are_of_the_order_that_was_charged(entries: list[Any]) -> None:
    ledger = ledger_of(entries)

    assert sorted(ledger.effects[ORDER]) == sorted([CAPTURED, REFUNDED])
    assert ledger.recent_orders == {ORDER}
    assert not ledger.without_capture
    assert not ledger.unreadable


def test_old_movements_are_read_and_are_not_recent() -> None:
    ledger = ledger_of([CAPTURE], since=NOW + HOUR)

    assert ledger.effects == {ORDER: [CAPTURED]}
    assert ledger.recent_orders == set()


def test_a_recent_refund_of_an_old_capture_makes_its_order_recent() -> None:
    old = changed(CAPTURE, "at", (NOW - 48 * HOUR).isoformat())

    assert ledger_of([old, REFUND]).recent_orders == {ORDER}


def test_a_refund_without_capture_is_kept_apart() -> None:
    ledger = ledger_of([REFUND])

    assert ledger.without_capture == [REFUNDED]
    assert not ledger.effects


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "text",
        [],
        {},
        changed(CAPTURE, "type", "chargeback.opened"),
        changed(CAPTURE, "type", ["charge.captured"]),
        changed(CAPTURE, "at", "yesterday"),
        changed(CAPTURE, "at", "2026-11-26T12:00:00"),
        changed(CAPTURE, "data.amount", "-1"),
        changed(CAPTURE, "data.currency", "dollars"),
        changed(CAPTURE, "data.key", None),
        changed(REFUND, "data.chargeKey", {}),
    ],
)
def test_an_invalid_entry_is_reported_and_hides_no_others(entry: Any) -> None:
    ledger = ledger_of([entry, CAPTURE])

    assert len(ledger.unreadable) == 1
    assert "entry 1 of the gateway's ledger" in ledger.unreadable[0]
    assert ledger.effects == {ORDER: [CAPTURED]}


@given(st.lists(JSON, max_size=5), st.sampled_from([CAPTURE, REFUND]), st.sampled_from(PATHS), JSON)
def test_no_ledger_makes_reading_fail(
    entries: list[Any], entry: dict[str, Any], path: str, value: Any
) -> None:
    ledger = ledger_of([*entries, changed(entry, path, value), CAPTURE])

    assert len(ledger.unreadable) >= len(entries)
    assert CAPTURED in ledger.effects[ORDER]


class Gateway:
    """A gateway whose ledger has pages, as the real one, or none."""

    def __init__(self, entries: list[dict[str, Any]], *, has_pages: bool = True) -> None:
        self.asked: list[dict[str, str]] = []
        self._entries = entries
        self._has_pages = has_pages

    def __call__(self, request: httpx.Request) -> httpx.Response:
        asked = dict(request.url.params)
        self.asked.append(asked)
        if not self._has_pages:
            return httpx.Response(200, json=self._entries)
        after, limit = int(asked["after"]), int(asked["limit"])
        rest = [each for each in self._entries if each["seq"] > after]
        return httpx.Response(200, json=rest[:limit])


@pytest.mark.parametrize("has_pages", [True, False])
async def test_a_ledger_is_read_page_by_page_and_each_entry_once(
    monkeypatch: pytest.MonkeyPatch, has_pages: bool
) -> None:
    monkeypatch.setattr("activities.adapters.gateway_ledger.PAGE_SIZE", 2)
    entries = [CAPTURE | {"seq": number} for number in range(1, 6)]
    gateway = Gateway(entries, has_pages=has_pages)
    transport = httpx.MockTransport(gateway)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        read = [entry async for entry in HttpGatewayLedger(client).entries()]
    ledger = group_by_order(read, NOW - HOUR)

    assert ledger.effects == {ORDER: [CAPTURED] * 5}
    assert [each["after"] for each in gateway.asked] == (
        ["0", "2", "4", "5"] if has_pages else ["0", "5"]
    )
    assert {each["limit"] for each in gateway.asked} == {"2"}


def test_the_money_of_a_refund_that_fails_later_comes_back() -> None:
    failed = {**REFUND, "seq": 3, "type": "refund.failed"}

    effects = ledger_of([CAPTURE, REFUND, failed]).effects[ORDER]

    assert [each.movement for each in effects] == ["capture", "refund", "return"]
    assert sum(each.sign * each.amount.minor_units for each in effects) == 15_000


async def test_several_ledgers_are_read_as_one() -> None:
    def ledger(entry: dict[str, Any]) -> HttpGatewayLedger:
        def handler(request: httpx.Request) -> httpx.Response:
            is_first = request.url.params["after"] == "0"
            return httpx.Response(200, json=[entry] if is_first else [])

        transport = httpx.MockTransport(handler)
        return HttpGatewayLedger(httpx.AsyncClient(transport=transport, base_url="http://gateway"))

    both = AllLedgers([ledger(CAPTURE), ledger(REFUND)])

    effects = [each.effect async for each in both.entries() if isinstance(each, LedgerEntry)]
    assert effects == [CAPTURED, REFUNDED]
