"""How the API handles Temporal's refusals, and workflows that others have started."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api import refusals
from api.workflow_client import TemporalWorkflows
from domain import names
from domain.errors import ErrorCode, PaymentError
from tests.support.builders import a_payment, a_refund, an_instruction
from tests.support.fake_resources import SUCCEEDED
from tests.support.logged import lines, records

MISSING = RPCError(
    "Namespace default has no mapping defined for search attribute CustomerId",
    RPCStatusCode.INVALID_ARGUMENT,
    b"",
)
GONE = RPCError("tcp connect error", RPCStatusCode.UNAVAILABLE, b"")


class FakeDescription:
    """The description of a workflow, with its memo."""

    run_id = "run"

    def __init__(self, memo: dict[str, str]) -> None:
        self._memo = memo

    async def memo(self) -> dict[str, str]:
        return self._memo


class FakeHandle:
    """The handle of a running workflow, whose result cannot be read if there is a `failure`."""

    def __init__(self, memo: dict[str, str], failure: Exception | None = None) -> None:
        self.cancelled = 0
        self._memo = memo
        self._failure = failure

    async def describe(self, **_: Any) -> FakeDescription:
        return FakeDescription(self._memo)

    async def result(self) -> None:
        if self._failure:
            raise self._failure

    async def cancel(self, **_: Any) -> None:
        self.cancelled += 1


class FakeTemporal:
    """A client. Every call fails with `failure`; without one, each workflow is already running."""

    def __init__(
        self, failure: Exception | None = None, memo: dict[str, str] | None = None
    ) -> None:
        self.failure = failure
        self.handle = FakeHandle(memo or {})

    async def start_workflow(self, *_: Any, **__: Any) -> Any:
        self._fail()
        raise WorkflowAlreadyStartedError(
            "payment", "PaymentWorkflow", run_id=FakeDescription.run_id
        )

    async def count_workflows(self, *_: Any, **__: Any) -> None:
        self._fail()

    def get_workflow_handle(self, *_: Any, **__: Any) -> FakeHandle:
        return self.handle

    get_workflow_handle_for = get_workflow_handle

    def _fail(self) -> None:
        if self.failure:
            raise self.failure


def workflows_on(temporal: Any) -> TemporalWorkflows:
    return TemporalWorkflows(temporal, wait=timedelta(seconds=1))


async def code_of(call: Any) -> ErrorCode:
    with pytest.raises(PaymentError) as refusal:
        await call
    return refusal.value.code


async def test_cause_of_a_refusal_is_logged_once_for_each_kind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporal = FakeTemporal(MISSING)
    workflows = workflows_on(temporal)

    for _ in range(3):
        assert (
            await code_of(workflows.start_or_join(an_instruction()))
            is ErrorCode.SERVICE_UNAVAILABLE
        )
        assert await code_of(workflows.refund(a_refund(SUCCEEDED))) is ErrorCode.SERVICE_UNAVAILABLE
    temporal.failure = GONE
    await code_of(workflows.start_or_join(an_instruction()))

    assert lines(caplog, refusals) == [
        f"Temporal refuses: {MISSING.message} (INVALID_ARGUMENT)",
        "Temporal refuses: tcp connect error (UNAVAILABLE)",
    ]
    assert {each.levelno for each in records(caplog, refusals)} == {logging.WARNING}

    monkeypatch.setattr(refusals, "QUIET_SECONDS", 0)  # as if a minute had passed
    await code_of(workflows.start_or_join(an_instruction()))
    assert len(lines(caplog, refusals)) == 3


async def test_the_cause_is_logged_if_the_ending_is_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handle: Any = FakeHandle({}, GONE)
    workflows = workflows_on(FakeTemporal())

    assert await workflows._running(INSTRUCTION.payment_id, handle).wait_for_end() is None
    assert lines(caplog, refusals) == ["Temporal refuses: tcp connect error (UNAVAILABLE)"]


async def test_missing_search_attribute_is_found_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(RPCError):
        await workflows_on(FakeTemporal(MISSING)).find_search_attributes()

    assert "CustomerId" in caplog.text


async def test_slow_queries_are_no_missing_search_attributes() -> None:
    await workflows_on(FakeTemporal(GONE)).find_search_attributes()


INSTRUCTION = an_instruction()
STRANGE_MEMOS: dict[str, dict[str, str]] = {
    "none": {},
    "of others": {"started": "by hand"},
    "without a payment id": {names.MEMO_FINGERPRINT: INSTRUCTION.fingerprint},
}


@pytest.mark.parametrize("memo", STRANGE_MEMOS.values(), ids=STRANGE_MEMOS)
async def test_workflow_without_our_memo_is_another_payment(memo: dict[str, str]) -> None:
    temporal = FakeTemporal(memo=memo)
    workflows = workflows_on(temporal)

    assert await code_of(workflows.start_or_join(INSTRUCTION)) is ErrorCode.PAYMENT_IN_PROGRESS
    assert await code_of(workflows.cancel(a_payment())) is ErrorCode.PAYMENT_IN_PROGRESS
    assert temporal.handle.cancelled == 0
