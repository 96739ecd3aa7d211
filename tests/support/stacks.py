"""Settings for running stacks. They do not depend on the environment of this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api.main import create_server
from bootstrap import kafka
from bootstrap.settings import Settings
from devstack.stack.ports import HOST, Ports
from devstack.stack.stack import Stack
from tests.support.serving import serving


def settings_of(stack: Stack, **changes: Any) -> Settings:
    environment = {name.lower(): value for name, value in stack.environment().items()}
    return Settings.model_validate({**environment, **changes})


def kafka_of(stack: Stack) -> dict[str, Any]:
    return kafka.connection(settings_of(stack))


@asynccontextmanager
async def another_server(stack: Stack, **changes: Any) -> AsyncIterator[str]:
    """Run another API of the stack in this process, with changed settings. Yields its address."""
    port = Ports.free().api
    settings = settings_of(stack, api_port=port, **changes)
    async with create_server(settings) as server, serving(server):
        yield f"http://{HOST}:{port}"
