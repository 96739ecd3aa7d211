"""Connecting to Temporal: the API, the worker and the tools do it alike."""

import asyncio
import logging
from datetime import timedelta

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.service import GrpcCompression, RetryConfig, RPCError

from bootstrap.settings import Settings

CONNECT_PATIENCE = timedelta(seconds=60)
PAUSE_SECONDS = 0.2

log = logging.getLogger(__name__)


async def connect(settings: Settings, *, patience: timedelta = CONNECT_PATIENCE) -> Client:
    """A client for the configured namespace; waits for a server that is still starting.

    Ends the process, saying why, when there is none within `patience`.
    """
    profile = _profile(settings)
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    told = ""
    while True:
        try:
            return await _connect(profile)
        except (RuntimeError, RPCError) as error:
            why = f"Temporal at {settings.temporal_address} cannot be used ({error})."
        # Before the end too: the SDK's thread that has just failed must be gone when Python ends.
        await asyncio.sleep(PAUSE_SECONDS)
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"{why} Start it, or mend TEMPORAL_ADDRESS or TEMPORAL_NAMESPACE.")
        if why != told:
            log.warning("%s Trying again.", why)
            told = why


def _profile(settings: Settings) -> ClientConnectConfig:
    """With the SDK's own variables, such as those for TLS and the API key."""
    try:
        profile = ClientConfig.load_client_connect_config()
    except (RuntimeError, OSError, ValueError) as error:
        why = f"TEMPORAL_*, or a file named there, cannot be read ({type(error).__name__})."
        raise SystemExit(why) from None
    return {
        **profile,
        "target_host": settings.temporal_address,
        "namespace": settings.temporal_namespace,
    }


async def _connect(profile: ClientConnectConfig) -> Client:
    client = await Client.connect(
        **profile,
        data_converter=pydantic_data_converter,
        grpc_compression=GrpcCompression.NONE,
        retry_config=RetryConfig(max_elapsed_time_millis=3000),
    )
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace)
    )
    return client
