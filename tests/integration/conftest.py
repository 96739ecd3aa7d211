"""The whole system as processes, which all integration tests share."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx
import pytest
from playwright.async_api import Browser, async_playwright
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from db import engine as engines
from db.engine import create_engine
from db.payments import PaymentStore
from db.refunds import RefundStore
from db.runs import RecordedRuns
from devstack.stack.ports import Ports
from devstack.stack.stack import Stack
from domain import names
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.refunds import FakeRefunds
from tests.support.fakes.runs import FakeRuns
from tests.support.fakes.world import World
from tests.support.programs import CHROMIUM
from tests.support.recorded import Stores
from tests.support.shop_page import ShopPage, chromium, opened
from tests.support.system import System
from tests.support.topics import Topics, following

PATIENCE = 60


@pytest.fixture(scope="session", autouse=True)
def patient_engines() -> Iterator[None]:
    """Let a statement of this process take as long as a busy machine needs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "CONNECT_TIMEOUT_SECONDS", 30)
        patch.setattr(engines, "STATEMENT_TIMEOUT_SECONDS", 30)
        yield


@pytest.fixture(scope="module")
async def own_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Run only the double of Stripe, as `GATEWAY=stripe make up` starts it beside the rest."""
    directory = tmp_path_factory.mktemp("double")
    stack = Stack(directory, Ports.free(), ephemeral=True, optional=["stripe"])
    await stack.up(["stripe"])
    yield stack
    await stack.kill("stripe")


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    directory, ports = tmp_path_factory.mktemp("stack"), Ports.free()
    stack = Stack(directory, ports, durable=False, ephemeral=True, optional=["stripe"])
    try:
        await stack.up()
        await _pause_reconciliation(stack)
        yield stack
    finally:
        await end(stack)


async def _pause_reconciliation(stack: Stack) -> None:
    """Pause it: tests write payments without a workflow, which it would resume."""
    client = await Client.connect(stack.environment()["TEMPORAL_ADDRESS"])
    await client.get_schedule_handle(names.RECONCILIATION).pause()


async def end(stack: Stack) -> None:
    """Kill the processes, which is faster than stopping them. Keeps the logs."""
    await stack.stop("postgres")  # killed, it would leave shared memory behind
    await asyncio.gather(*(stack.kill(part.name) for part in stack.status()))
    shutil.rmtree(stack.site.data, ignore_errors=True)


@pytest.fixture(scope="session")
async def topics(stack: Stack) -> AsyncIterator[Topics]:
    async with following(stack.environment()["KAFKA_BOOTSTRAP_SERVERS"]) as topics:
        yield topics


@pytest.fixture(scope="session")
async def database(stack: Stack) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    async with asyncpg.create_pool(stack.environment()["DATABASE_URL"], min_size=1) as pool:
        yield pool


@pytest.fixture(scope="session")
async def system(
    stack: Stack, topics: Topics, database: "asyncpg.Pool[asyncpg.Record]", temporal: Client
) -> AsyncIterator[System]:
    address = stack.environment()["PAYMENT_API_URL"]
    async with (
        httpx.AsyncClient(base_url=address, timeout=PATIENCE, trust_env=False) as api,
        httpx.AsyncClient(timeout=PATIENCE, trust_env=False) as neighbours,
    ):
        yield System(stack, api, neighbours, database, topics, temporal)


@pytest.fixture(scope="session")
async def temporal(stack: Stack) -> Client:
    address = stack.environment()["TEMPORAL_ADDRESS"]
    return await Client.connect(address, data_converter=pydantic_data_converter)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    executable = CHROMIUM.require()
    async with async_playwright() as playwright, chromium(playwright, executable) as browser:
        yield browser


@pytest.fixture
async def shop_page(browser: Browser, system: System) -> AsyncIterator[ShopPage]:
    async with opened(browser, system) as shop_page:
        yield shop_page


@pytest.fixture(scope="module")
async def engine(system: System) -> AsyncIterator[AsyncEngine]:
    url = system.stack.environment()["DATABASE_URL"]
    engine = create_engine(url, application_name="tests")
    yield engine
    await engine.dispose()


@pytest.fixture(scope="module")
async def store(engine: AsyncEngine) -> PaymentStore:
    return PaymentStore(engine)


@pytest.fixture(params=["fake", "real"])
async def stores(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[Stores]:
    if request.param == "fake":
        world = World()
        yield Stores(FakePayments(world), FakeRefunds(world), FakeRuns(world))
        return
    engine = create_engine(stack.environment()["DATABASE_URL"], application_name="tests")
    yield Stores(PaymentStore(engine), RefundStore(engine), RecordedRuns(engine))
    await engine.dispose()
