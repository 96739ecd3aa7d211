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


class FakeTemporal:
    """A client, a workflow handle and its description: all that the API uses of Temporal."""

    run_id = "run"

    def __init__(
        self, failure: Exception | None = None, memo: dict[str, str] | None = None
    ) -> None:
        self.failure = failure
        self.cancelled = 0
        self._memo = memo or {}

    async def start_workflow(self, *_: Any, **__: Any) -> Any:
        self._fail()
        raise WorkflowAlreadyStartedError("payment", "PaymentWorkflow", run_id=self.run_id)

    async def count_workflows(self, *_: Any, **__: Any) -> None:
        self._fail()

    def get_workflow_handle(self, *_: Any, **__: Any) -> "FakeTemporal":
        return self

    get_workflow_handle_for = get_workflow_handle

    async def describe(self, **_: Any) -> "FakeTemporal":
        return self

    async def memo(self) -> dict[str, str]:
        return self._memo

    async def result(self) -> None:
        self._fail()

    async def cancel(self, **_: Any) -> None:
        self.cancelled += 1

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
    handle: Any = FakeTemporal(GONE)

    assert await workflows_on(handle)._running(INSTRUCTION.payment_id, handle).ended() is None
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
    assert temporal.cancelled == 0
