"""Runs an HTTP server in the event loop of the tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn


@asynccontextmanager
async def serving(server: uvicorn.Server) -> AsyncIterator[None]:
    """In the block, the server accepts requests. At the end it completes those that are running."""
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 (it has no event to wait for)
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await running
