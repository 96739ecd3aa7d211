"""Refunds of amounts that the gateway of the payment does not accept."""

import httpx

from api.request_errors import RequestErrorCode
from domain.gateways import GatewayName
from domain.money import Money
from tests.support.fake_resources import SUCCEEDED, FakeResources, problem
from tests.unit.api.test_refunds import refund


async def test_an_amount_that_its_gateway_cannot_refund_is_refused(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    ariary = {"amount": Money.parse("150", "MGA"), "gateway": GatewayName.STRIPE}
    resources.recorded = [SUCCEEDED.model_copy(update=ariary)]

    body = problem(await refund(http, {"amount": 1.5}), RequestErrorCode.INVALID_REQUEST)

    assert [each["field"] for each in body["errors"]] == ["amount"]
    assert resources.requested_refunds == []
