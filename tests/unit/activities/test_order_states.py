"""The audit reads an order's state, and no response of Ordering makes it raise another error."""

import json
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.adapters.order_states import read_order_state
from activities.audit_ports import MISSING, OrderState
from domain import exact_json
from tests.unit.activities.test_gateway_ledger import JSON

PAYMENT = uuid4()


@given(st.integers(200, 599), st.binary() | JSON.map(exact_json.dumps))
def test_no_response_of_ordering_raises_another_error(status: int, content: bytes) -> None:
    try:
        state = read_order_state(status, content)
    except ValueError:
        return
    assert isinstance(state.status, str)
    assert isinstance(state.paid_by, UUID | None)


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, {"status": "paid", "paymentId": str(PAYMENT)}, OrderState("paid", PAYMENT)),
        (200, {"state": "pending", "paymentId": None}, OrderState("pending", None)),
        (200, {}, OrderState("unknown", None)),
        (404, "no JSON of an order", OrderState(MISSING, None)),
    ],
)
def test_an_order_is_read_in_the_spelling_of_each_deployment(
    status: int, body: object, state: OrderState
) -> None:
    assert read_order_state(status, json.dumps(body).encode()) == state


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"status": "paid"}),
        (401, {"status": "paid"}),
        (302, {}),
        (200, []),
        (200, {"status": ["paid"]}),
        (200, {"status": "paid", "paymentId": "not an id"}),
        (200, {"status": "paid", "paymentId": ["x"]}),
    ],
)
def test_a_response_that_is_no_order_is_refused(status: int, body: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_order_state(status, json.dumps(body).encode())
