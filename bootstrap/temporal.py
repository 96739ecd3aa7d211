"""The connection to Temporal, the same for the API, the worker and the tools."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig, ClientConnectConfig
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import GrpcCompression, RetryConfig, RPCError

from bootstrap import logs
from bootstrap.settings import Settings

CONNECT_PATIENCE = timedelta(seconds=60)
"""How long a process waits for a server that is still starting. Chosen, not measured."""
RETRY_PAUSE_SECONDS = 0.2
"""Pause between two attempts to connect. Chosen, not measured."""
RPC_RETRY_MILLIS = 3000
"""How long the SDK tries a request to Temporal again. Chosen, not measured."""

LEVELS = TelemetryFilter(core_level="WARN", other_level="ERROR")
"""The lowest levels of the lines that the SDK's core logs: its defaults."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""The upper ends of the buckets of all durations, in seconds. The first bucket of the SDK's own
ends at 50 ms, which is longer than most steps take. Chosen, not measured."""

log = logging.getLogger(__name__)


@cache
def runtime(process: str, metrics_address: str | None = None) -> Runtime:
    """The runtime of the API and of the worker, one for each process.

    The SDK's core, which is not written in Python, logs through our logger. Its threads call into
    Python for that: a process with this runtime must end as `bootstrap.process.run` does it.

    It serves the metrics of the process at `metrics_address` (`host:port`), all with the label
    `process`, which no metric may have itself. If it cannot listen there, it ends the process with
    a message that says why.
    """
    forwarding = LogForwardingConfig(
        logs.CORE,
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,
    )
    telemetry = TelemetryConfig(
        logging=LoggingConfig(LEVELS, forwarding),
        metrics=_prometheus(metrics_address) if metrics_address else None,
        global_tags={"process": process},
        attach_service_name=False,
    )
    try:
        return Runtime(telemetry=telemetry)
    except ValueError as error:
        raise SystemExit(
            f"The metrics cannot be served at {metrics_address} ({error}). Stop what listens "
            "there, or set METRICS_ADDRESS."
        ) from None


def _prometheus(address: str) -> PrometheusConfig:
    """The SDK's endpoint, with the names and units that Prometheus expects.

    The SDK looks for the names of `histogram_bucket_overrides` at the end of a metric's name.
    """
    return PrometheusConfig(
        address,
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={"_duration": BUCKETS, "_latency": BUCKETS},
    )


async def connect(
    settings: Settings,
    *,
    patience: timedelta = CONNECT_PATIENCE,
    runtime: Runtime | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """A client for the configured namespace. Tries again while the server is still starting.

    If there is no connection within `patience`, ends the process with a message that says why.
    Without `runtime`, the core of the SDK logs to stderr in its own format.
    """
    profile = _profile(settings)
    deadline = asyncio.get_running_loop().time() + patience.total_seconds()
    logged = ""
    while True:
        try:
            return await _connect(profile, runtime, interceptors)
        except (RuntimeError, RPCError) as error:
            why = f"Temporal at {settings.temporal_address} cannot be used ({error})."
        # Also before the exit: the SDK's thread that has just failed must end before Python does.
        await asyncio.sleep(RETRY_PAUSE_SECONDS)
        if asyncio.get_running_loop().time() > deadline:
            raise SystemExit(f"{why} Start it, or correct TEMPORAL_ADDRESS or TEMPORAL_NAMESPACE.")
        if why != logged:
            log.warning("%s Trying again.", why)
            logged = why


def _profile(settings: Settings) -> ClientConnectConfig:
    """Our settings, and the SDK's own variables, such as those for TLS and the API key.

    Ends the process if the SDK's variables cannot be read.
    """
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


async def _connect(
    profile: ClientConnectConfig, runtime: Runtime | None, interceptors: Sequence[Interceptor]
) -> Client:
    client = await Client.connect(
        **profile,
        data_converter=pydantic_data_converter,
        interceptors=interceptors,
        runtime=runtime,
        grpc_compression=GrpcCompression.NONE,
        retry_config=RetryConfig(max_elapsed_time_millis=RPC_RETRY_MILLIS),
    )
    await client.workflow_service.describe_namespace(
        DescribeNamespaceRequest(namespace=client.namespace)
    )
    return client
