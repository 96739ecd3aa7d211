"""The timeline: the entries of every source in one order. No source delays the others."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn

import httpx
import pytest
from fastapi import FastAPI

from api import timeline
from api.identity import READ
from api.timeline import ReadSource, by_gateway
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source
from tests.replay.histories import read
from tests.support.builders import NOON, a_refund
from tests.support.fake_resources import CUSTOMER, SUCCEEDED, FakeResources, envelope, problem
from tests.support.tokens import a_token, an_authenticator
from workflows.timeline import entries_of

ADDRESS = f"/payments/{SUCCEEDED.id}/timeline"


def telling(*entries: Entry) -> ReadSource:
    async def read_source(_: Payment, __: Sequence[Refund]) -> Sequence[Entry]:
        return entries

    return read_source


def at(seconds: int, source: Source) -> Entry:
    return Entry(NOON + timedelta(seconds=seconds), source, f"event {seconds}")


async def fall_silent(_: Payment, __: Sequence[Refund]) -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


async def fail(_: Payment, __: Sequence[Refund]) -> NoReturn:
    raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "The gateway is not available.")


async def must_not_be_asked(_: Payment, __: Sequence[Refund]) -> NoReturn:
    raise AssertionError


async def test_the_entries_of_all_sources_are_in_one_order(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]
    resources.sources |= {
        Source.KAFKA: telling(at(3, Source.KAFKA)),
        Source.POSTGRESQL: telling(at(4, Source.POSTGRESQL), at(1, Source.POSTGRESQL)),
    }

    body = envelope(await http.get(ADDRESS), 200)

    assert [each["event"] for each in body["timeline"]] == ["event 1", "event 3", "event 4"]
    assert body["timeline"][1]["source"] == "kafka"
    assert body["silent"] == []


async def test_a_source_that_does_not_respond_is_named(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "SOURCE_TIMEOUT_SECONDS", 0.01)
    resources.recorded = [SUCCEEDED]
    resources.sources |= {
        Source.TEMPORAL: fall_silent,
        Source.GATEWAY: fail,
        Source.KAFKA: telling(at(1, Source.KAFKA)),
    }

    body = envelope(await http.get(ADDRESS), 200)

    assert body["silent"] == ["gateway", "temporal"]
    assert [each["event"] for each in body["timeline"]] == ["event 1"]


async def test_timelines_are_sorted_one_at_a_time(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]
    asked, answers = asyncio.Event(), asyncio.Event()

    async def tell_later(_: Payment, __: Sequence[Refund]) -> Sequence[Entry]:
        asked.set()
        await answers.wait()
        return ()

    resources.sources[Source.KAFKA] = tell_later
    first = asyncio.create_task(http.get(ADDRESS))
    await asked.wait()
    second = await http.get(ADDRESS)
    answers.set()

    assert problem(second, ErrorCode.SERVICE_UNAVAILABLE)
    assert int(second.headers["retry-after"]) > 0
    envelope(await first, 200)
    envelope(await http.get(ADDRESS), 200)


async def test_a_customer_sees_no_internals(
    http: httpx.AsyncClient, resources: FakeResources, app: FastAPI
) -> None:
    resources.authenticator = an_authenticator()
    app.state.resources = resources.build()
    resources.recorded = [SUCCEEDED]
    resources.sources |= {
        Source.POSTGRESQL: telling(at(1, Source.POSTGRESQL)),
        Source.GATEWAY: telling(at(2, Source.GATEWAY)),
        Source.KAFKA: must_not_be_asked,
        Source.TEMPORAL: must_not_be_asked,
    }
    customer = {"authorization": f"Bearer {a_token(sub=CUSTOMER, scope=READ)}"}

    body = envelope(await http.get(ADDRESS, headers=customer), 200)

    assert [each["source"] for each in body["timeline"]] == ["postgresql", "gateway"]
    assert body["silent"] == []


async def test_the_newest_refunds_are_shown(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    asked: list[Refund] = []

    async def read_source(_: Payment, refunds: Sequence[Refund]) -> Sequence[Entry]:
        asked.extend(refunds)
        return ()

    resources.recorded = [SUCCEEDED]
    resources.recorded_refunds += [a_refund(SUCCEEDED, "0.01", str(each)) for each in range(30)]
    resources.sources[Source.GATEWAY] = read_source

    await http.get(ADDRESS)

    assert asked == resources.recorded_refunds[-timeline.MAX_REFUNDS :]


async def test_a_payment_is_shown_by_its_own_gateway() -> None:
    read = by_gateway(
        {name: telling(Entry(NOON, Source.GATEWAY, name)) for name in ("simulator", "stripe")}
    )

    assert [each.event for each in await read(SUCCEEDED, [])] == ["simulator"]
    at_stripe = SUCCEEDED.model_copy(update={"gateway": "stripe"})
    assert [each.event for each in await read(at_stripe, [])] == ["stripe"]


async def test_a_gateway_without_an_address_does_not_respond() -> None:
    read = by_gateway({})

    with pytest.raises(PaymentError) as caught:
        await read(SUCCEEDED, [])

    assert caught.value.code is ErrorCode.GATEWAY_UNAVAILABLE


def test_a_run_shows_its_steps_and_their_tries() -> None:
    shown = [(each.event, each.detail) for each in entries_of(read("0.1.0/refunded").events)]

    assert shown[0] == ("workflow started", None)
    assert {("fetch_order done", None), ("charge done", None)} < set(shown)
    assert ("record_succeeded failed", "Refused: RECORD_REFUSED.") in shown
    assert ("refund_charge done", None) in shown
    assert shown[-1] == ("workflow completed", None)


def test_a_step_shows_how_often_it_was_tried() -> None:
    shown = {each.event: each.detail for each in entries_of(read("0.1.0/refund-on-request").events)}

    assert (shown["make_refund failed"] or "").startswith("refund does not answer. (after ")
    assert shown["make_refund done"] is None
