"""Connecting to Temporal: the API, the worker and the tools do it alike."""

import asyncio
from datetime import timedelta

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.service import GrpcCompression, RetryConfig, RPCError

from bootstrap.settings import Settings

CONNECT_PATIENCE = timedelta(seconds=60)


async def connect(settings: Settings, *, patience: timedelta = CONNECT_PATIENCE) -> Client:
    """A client for the configured namespace; waits for a server that is still starting.

    Raises RuntimeError when there is none within `patience`.
    """
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    while True:
        try:
            return await _connect(settings)
        except (RuntimeError, RPCError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise RuntimeError(
                    f"No Temporal server answers at {settings.temporal_address}: {error}. "
                    "Start one or set TEMPORAL_ADDRESS."
                ) from error
        await asyncio.sleep(0.2)


async def _connect(settings: Settings) -> Client:
    profile = ClientConfig.load_client_connect_config()
    profile["target_host"] = settings.temporal_address
    profile["namespace"] = settings.temporal_namespace
    return await Client.connect(
        **profile,
        data_converter=pydantic_data_converter,
        grpc_compression=GrpcCompression.NONE,
        retry_config=RetryConfig(max_elapsed_time_millis=3000),
    )
