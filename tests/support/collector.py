"""A collector of OpenTelemetry in this process: it keeps the spans that it gets."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from devstack.stack.ports import HOST
from tests.support.serving import serving


class FoundSpan(NamedTuple):
    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, str]
    has_failed: bool


class Collector:
    """Receives spans (OTLP over HTTP), and keeps them."""

    def __init__(self) -> None:
        self.spans: list[FoundSpan] = []
        self.bodies: list[bytes] = []
        self.status = 200
        """The status of its responses."""

    async def take(self, request: Request) -> Response:
        body = await request.body()
        if self.status == 200:
            self.bodies.append(body)
            self.spans += _read(body)
        return Response(status_code=self.status)

    def of_payment(self, payment_id: str) -> Sequence[FoundSpan]:
        """The spans of the traces in which this payment occurs."""
        traces = {
            each.trace_id for each in self.spans if each.attributes.get("payment.id") == payment_id
        }
        return [each for each in self.spans if each.trace_id in traces]


def _read(body: bytes) -> list[FoundSpan]:
    message = ExportTraceServiceRequest.FromString(body)
    return [
        FoundSpan(
            service=next(
                each.value.string_value
                for each in group.resource.attributes
                if each.key == "service.name"
            ),
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            attributes={
                each.key: each.value.string_value or str(each.value.int_value)
                for each in span.attributes
            },
            has_failed=span.status.code == span.status.STATUS_CODE_ERROR,
        )
        for group in message.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


@asynccontextmanager
async def collecting(port: int) -> AsyncIterator[Collector]:
    """Run a collector at this port."""
    collector = Collector()
    app = FastAPI(openapi_url=None, telemetry={"tracing": False})
    app.post("/v1/traces")(collector.take)
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_level="warning"))
    async with serving(server):
        yield collector


def paths(spans: Sequence[FoundSpan]) -> set[str]:
    """The name of each span after the names of its ancestors, such as `charge > POST gateway`."""
    by_id = {each.span_id: each for each in spans}

    def path(span: FoundSpan) -> str:
        parent = by_id.get(span.parent_id)
        name = f"{span.name} (failed)" if span.has_failed else span.name
        return f"{path(parent)} > {name}" if parent else name

    return set(map(path, spans))
