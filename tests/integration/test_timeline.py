"""The timeline of a real payment has the entries of all sources, sorted by time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from activities.adapters.kafka_timeline import KafkaTimeline
from domain.payment import Payment
from tests.support.builders import an_instruction
from tests.support.stacks import kafka_of
from tests.support.system import System
from tests.support.waiting import eventually


async def timeline_of(
    system: System, payment_id: str, *, silent: Sequence[str] = (), ended_runs: int = 0
) -> list[dict[str, Any]]:
    """The entries, in the order of the response.

    Waits until exactly the sources in `silent` have not responded: a busy source may respond too
    late. Waits also until `ended_runs` workflows are shown as completed: Temporal updates its list
    of workflows some tenths of a second later.
    """

    async def are_shown() -> list[dict[str, Any]] | None:
        answer = await system.get(f"/payments/{payment_id}/timeline")
        if answer.status != HTTPStatus.OK or answer.body["silent"] != [*silent]:
            return None
        shown: list[dict[str, Any]] = answer.body["timeline"]
        ended = [each["event"] for each in shown].count("workflow completed")
        return shown if ended >= ended_runs else None

    return await eventually("all entries are shown", are_shown)


async def shown_events(
    system: System, payment_id: str, *, silent: Sequence[str] = (), ended_runs: int = 1
) -> dict[str, list[str]]:
    """The events of each source that is not silent. Waits as `timeline_of` does."""
    entries = await timeline_of(system, payment_id, silent=silent, ended_runs=ended_runs)
    assert [each["at"] for each in entries] == sorted(each["at"] for each in entries)
    shown: dict[str, list[str]] = {}
    for each in entries:
        shown.setdefault(each["source"], []).append(each["event"])
    return shown


@pytest.mark.parametrize("amount", ["1.00", None])
async def test_every_source_shows_a_payment_and_its_refund(
    system: System, amount: str | None
) -> None:
    order = await system.an_order()
    payment_id = (await system.pay(order)).payment["id"]
    await system.refund(payment_id, amount, "key")

    shown = await shown_events(system, payment_id, ended_runs=2)

    assert shown["postgresql"] == [
        "payment is pending",
        "payment is succeeded",
        "refund is pending",
        "refund is succeeded",
    ]
    assert shown["gateway"] == ["charge is captured", "refund is succeeded"]
    assert sorted(shown["kafka"]) == ["record of payment-refunded", "record of payment-succeeded"]
    steps = ["charge done", "record_and_publish done"]
    assert [each for each in shown["temporal"] if each in steps] == steps
    assert shown["temporal"].count("workflow completed") == 2


async def test_a_compensated_payment_shows_its_reason(system: System) -> None:
    order = await system.an_order("150.13")
    payment_id = (await system.pay(order)).payment["id"]

    entries = await timeline_of(system, payment_id)

    failed = [each for each in entries if each["event"] == "payment is failed"]
    assert [each["detail"] for each in failed] == ["CARD_DECLINED"]
    assert "charge is declined" in [each["event"] for each in entries]


async def test_a_source_that_is_down_is_named_and_the_others_are_shown(system: System) -> None:
    order = await system.an_order()
    payment_id = (await system.pay(order)).payment["id"]

    async with system.without("gateway", "kafka"):
        shown = await shown_events(system, payment_id, silent=["gateway", "kafka"])

    assert shown.keys() == {"postgresql", "temporal"}
    assert shown["postgresql"] == ["payment is pending", "payment is succeeded"]


async def test_only_the_requested_payment_is_shown(system: System) -> None:
    order = await system.an_order()
    async with system.gateway(successRate=0):
        first = (await system.pay(order)).payment["id"]
    await system.until_ended(order)
    assert (await system.pay(order)).payment["id"] != first

    shown = await shown_events(system, first)

    assert shown["temporal"].count("workflow started") == 1
    assert shown["kafka"] == ["record of payment-failed"]


@pytest.mark.parametrize("minutes", [-1, 1])
async def test_record_is_found_although_clocks_differ(system: System, minutes: int) -> None:
    order = await system.an_order()
    shown = (await system.pay(order)).payment
    await system.until_published(order)
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    instruction = an_instruction(order_id=order.id, payment_id=shown["id"], requested_at=at)
    payment = Payment.pending(instruction).succeeded(at).announced()

    entries = await KafkaTimeline(kafka_of(system.stack))(payment, [])

    assert [each.event for each in entries] == ["record of payment-succeeded"]
