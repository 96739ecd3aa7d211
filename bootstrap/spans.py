"""Sends the spans of a process to a collector of OpenTelemetry.

It decides which traces are kept, and which attributes of their spans leave the process. The modules
that create spans use only OpenTelemetry's API.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagators.textmap import CarrierT, Getter, default_getter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from temporalio.contrib.opentelemetry import (
    OpenTelemetryInterceptor,
    ReplaySafeTracerProvider,
    create_tracer_provider,
)

from bootstrap.logs import span_attributes

EXPORTED = frozenset(
    {
        "db.operation.name",
        "db.system.name",
        "error.type",
        "exception.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "messaging.destination.name",
        "messaging.operation.type",
        "messaging.system",
        "order.id",
        "payment.id",
        "peer.service",
        "request.id",
        "temporalActivityID",
        "temporalRunID",
        "temporalWorkflowID",
    }
)
"""The attributes that leave the process. All others are dropped: paths, queries and addresses may
contain secrets, and so may the texts and stack traces of exceptions."""
IDS = ("payment_id", "order_id", "request_id")
"""The fields of log lines that spans also have, as the attributes `payment.id` and so on."""


def install(
    endpoint: str, ratio: float, resource: Mapping[str, str]
) -> tuple[ReplaySafeTracerProvider, OpenTelemetryInterceptor]:
    """Send this share of all traces to the collector at `endpoint`.

    Returns the provider, which must be shut down, and the interceptor for the client of Temporal.
    """
    propagate.set_global_textmap(_WithoutState())
    provider = create_tracer_provider(
        sampler=TraceIdRatioBased(ratio), resource=Resource.create(dict(resource))
    )
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(_Ids())
    provider.add_span_processor(BatchSpanProcessor(Redacting(exporter)))
    trace.set_tracer_provider(provider)
    return provider, OpenTelemetryInterceptor(add_temporal_spans=True)


class Redacting(SpanExporter):
    """Passes spans on with the attributes in `EXPORTED` only, and without any text of an error."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_redacted(each) for each in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _redacted(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_exported(span.attributes),
        events=[
            Event(each.name, _exported(each.attributes), each.timestamp) for each in span.events
        ],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _exported(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name in EXPORTED}


class _Ids(SpanProcessor):
    """Adds the ids that are bound for the log lines to each span that begins."""

    def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:  # noqa: ARG002
        bound = structlog.contextvars.get_contextvars()
        span.set_attributes(span_attributes({name: bound[name] for name in IDS if name in bound}))


class _WithoutState(TraceContextTextMapPropagator):
    """W3C Trace Context without `tracestate`, and without baggage.

    A caller chooses the values of both. They would be recorded in the history of each workflow.
    """

    def extract(
        self,
        carrier: CarrierT,
        context: context.Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> context.Context:
        extracted = super().extract(carrier, context, getter)
        found = trace.get_current_span(extracted).get_span_context()
        if not found.is_valid or not found.trace_state:
            return extracted
        plain = SpanContext(found.trace_id, found.span_id, found.is_remote, found.trace_flags)
        return trace.set_span_in_context(NonRecordingSpan(plain), extracted)
