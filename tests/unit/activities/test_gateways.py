"""A payment is charged at its own gateway, or waits until a worker can reach that gateway."""

import pytest

from activities.gateways import Gateways
from domain.errors import ErrorCode, PaymentError
from domain.gateways import GatewayName
from tests.support.fakes.gateway import FakeGateway
from tests.support.fakes.world import World


def test_a_gateway_is_found_by_its_name() -> None:
    simulator = FakeGateway(World())

    assert Gateways({GatewayName.SIMULATOR: simulator}).of("simulator") is simulator


@pytest.mark.parametrize("name", ["stripe", "simulator"])
def test_a_payment_waits_for_a_worker_that_reaches_its_gateway(name: str) -> None:
    """The worker reaches the simulator, which opens no attempts."""
    gateways = Gateways({GatewayName.SIMULATOR: FakeGateway(World())})

    with pytest.raises(PaymentError) as caught:
        gateways.opening(name)
    assert caught.value.code is ErrorCode.GATEWAY_UNAVAILABLE
