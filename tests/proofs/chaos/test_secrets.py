"""The search for tokens and secrets finds them everywhere but in a run's start input."""

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    ActivityTaskScheduledEventAttributes,
    HistoryEvent,
    WorkflowExecutionStartedEventAttributes,
)

from tests.proofs.chaos.secrets import Secrets

SECRETS = Secrets("sk_test_simulated")
TOKEN = Payloads(payloads=[Payload(data=b'{"token":"pm_card_visa"}')])
STARTED = HistoryEvent(
    event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
    workflow_execution_started_event_attributes=WorkflowExecutionStartedEventAttributes(
        input=TOKEN
    ),
)
SCHEDULED = HistoryEvent(
    event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
    activity_task_scheduled_event_attributes=ActivityTaskScheduledEventAttributes(input=TOKEN),
)


@pytest.mark.parametrize(
    "text",
    [
        b"token=pm_card_visa",
        b"Bearer sk_test_simulated",
        b'"pi_1Ab_secret_2Cd"',
        b"whsec_simulated",
        b"http://127.0.0.1:5006/c/pay/cs_test_1#f",
        b"http://127.0.0.1:5006/redirect/authenticate/pi_1?client_secret=src_client_secret_1",
    ],
)
def test_a_token_and_each_secret_are_found(text: bytes) -> None:
    assert SECRETS.are_in(text)


def test_without_an_api_key_nothing_is_found_in_other_texts() -> None:
    assert not Secrets(None).are_in(b"any text")


def test_the_reference_of_a_payment_is_no_secret() -> None:
    assert not SECRETS.are_in(b"pi_1Ab pm_ sk_ _secret_")


def test_a_token_may_be_in_the_start_input_only() -> None:
    rest, has_token = SECRETS.without_token(STARTED)

    assert has_token
    assert not SECRETS.are_in(rest.SerializeToString())


def test_a_token_in_the_input_of_a_step_is_found() -> None:
    rest, has_token = SECRETS.without_token(SCHEDULED)

    assert not has_token
    assert SECRETS.are_in(rest.SerializeToString())


@pytest.mark.parametrize("secret", [b"sk_test_simulated", b"pi_1Ab_secret_2Cd"])
def test_another_secret_in_a_start_input_is_found(secret: bytes) -> None:
    event = HistoryEvent()
    event.CopyFrom(STARTED)
    event.workflow_execution_started_event_attributes.input.payloads[0].data += secret

    rest, has_token = SECRETS.without_token(event)

    assert has_token
    assert SECRETS.are_in(rest.SerializeToString())
