"""The saga's endings."""
from tests.workflow.conftest import Desk
from domain.payment import PaymentStatus

async def test_paid(desk: Desk) -> None:
    payment = await desk.pay()
    assert payment.status is PaymentStatus.SUCCEEDED
    print(desk.world.calls)
