"""More deployments on the same servers: another API, and one on a server that skips time."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any
from uuid import uuid4

import httpx
from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.common import MetricMeter

from api.main import build_app
from tests.support.stacks import settings_of
from tests.support.system import System
from tests.support.time_skipping import time_skipping
from workflows import worker


@asynccontextmanager
async def another_api(system: System, **changes: Any) -> AsyncIterator[System]:
    """The system, with another API that runs in this process with changed settings.

    The client has another IP address there, so the rate limit takes it for a new caller.
    """
    app = build_app(settings_of(system.stack, **changes))
    caller = str(IPv6Address(uuid4().int))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(caller, 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://replica") as api,
    ):
        yield replace(system, api=api)


@asynccontextmanager
async def time_skipping_system(system: System) -> AsyncIterator[System]:
    """The system, with an API and a worker on a Temporal server that skips idle time.

    All other servers are the same, real ones. A step that fails after minutes of retries takes no
    such time.
    """
    async with time_skipping() as client, AsyncExitStack() as stack:
        address = client.service_client.config.target_host
        settings = settings_of(system.stack, temporal_address=address)
        activities = await worker._activities(settings, client, stack, MetricMeter.noop)
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        async with (
            worker.build_worker(client, activities),
            another_api(system, temporal_address=address) as skipping,
        ):
            yield replace(skipping, temporal=client)
