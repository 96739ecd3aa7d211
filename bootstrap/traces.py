"""Traces of a process, sent to a collector of OpenTelemetry. Without its address there are none."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from temporalio.client import Interceptor

from bootstrap.process_settings import ProcessSettings

FLUSH_SECONDS = 3
"""How long a process that ends waits for the collector. Chosen, not measured."""

log = logging.getLogger(__name__)


@asynccontextmanager
async def tracing(
    settings: ProcessSettings, service: str, version: str
) -> AsyncIterator[Sequence[Interceptor]]:
    """In the block, the traces of this service go to the collector, if there is one.

    Yields the interceptors that a client of Temporal needs for this.
    """
    endpoint = settings.otel_exporter_otlp_endpoint
    if endpoint is None:
        yield []
        return
    from bootstrap import spans  # noqa: PLC0415 (it takes 0.2 s and 3 MB, which most processes save)

    resource = {
        "service.name": service,
        "service.version": version,
        "deployment.environment.name": settings.environment,
    }
    provider, interceptor = spans.install(str(endpoint), settings.otel_traces_sampler_arg, resource)
    try:
        yield [interceptor]
    finally:
        try:
            async with asyncio.timeout(FLUSH_SECONDS):
                await asyncio.to_thread(provider.shutdown)
        except TimeoutError:
            log.warning("the last spans were not sent: the collector does not respond")
