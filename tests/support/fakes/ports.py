"""All ports, faked on one world."""

from activities.ports import Ports, WorkflowStarter
from domain.gateways import GatewayName
from tests.support.fakes.gateway import FakeGateway
from tests.support.fakes.inventory import FakeInventory
from tests.support.fakes.opening_gateway import FakeOpeningGateway
from tests.support.fakes.ordering import FakeOrdering
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.publisher import FakePublisher
from tests.support.fakes.refunds import FakeRefunds
from tests.support.fakes.rounds import FakeRounds
from tests.support.fakes.start_inputs import FakeStartInputs
from tests.support.fakes.workflow_starter import FakeWorkflowStarter
from tests.support.fakes.world import World


def ports_of(world: World, workflows: WorkflowStarter | None = None) -> Ports:
    return Ports(
        ordering=FakeOrdering(world),
        inventory=FakeInventory(world),
        gateways={
            GatewayName.SIMULATOR: FakeGateway(world),
            GatewayName.STRIPE: FakeOpeningGateway(world),
        },
        start_inputs=FakeStartInputs(world),
        payments=FakePayments(world),
        refunds=FakeRefunds(world),
        publisher=FakePublisher(world),
        workflows=workflows or FakeWorkflowStarter(world),
        rounds=FakeRounds(world),
    )
