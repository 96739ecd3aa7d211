"""What leaves the process with a span: ids and names, and never a text that somebody has sent."""

from collections.abc import Iterator, Sequence

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from bootstrap.spans import EXPORTED, Redacting, _Ids, _WithoutState

CANARY = "canary-5d41402abc4b2a76"


class Sent(SpanExporter):
    """Keeps what would be sent to a collector."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def tracer(sent: Sent) -> Iterator[trace.Tracer]:
    provider = TracerProvider()
    provider.add_span_processor(_Ids())
    provider.add_span_processor(SimpleSpanProcessor(Redacting(sent)))
    yield provider.get_tracer("tests")
    provider.shutdown()


def test_the_text_of_an_error_stays_here(tracer: trace.Tracer, sent: Sent) -> None:
    with pytest.raises(ValueError, match=CANARY), tracer.start_as_current_span("step"):
        raise ValueError(CANARY)

    [span] = sent.spans
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    [event] = span.events
    assert dict(event.attributes or {}) == {"exception.type": "ValueError"}
    assert CANARY not in span.to_json()


def test_only_known_attributes_leave(tracer: trace.Tracer, sent: Sent) -> None:
    attributes = {"http.route": "/payments", "url.query": CANARY, "user_agent.original": CANARY}
    with tracer.start_as_current_span("request", attributes=attributes):
        pass

    [span] = sent.spans
    assert dict(span.attributes or {}) == {"http.route": "/payments"}


def test_the_rest_of_a_span_is_kept(tracer: trace.Tracer, sent: Sent) -> None:
    with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
        pass

    inner, outer = sent.spans
    assert (inner.name, outer.name) == ("inner", "outer")
    assert inner.parent is not None
    assert inner.parent.span_id == outer.context.span_id
    assert None not in {inner.start_time, inner.end_time}
    assert inner.resource == outer.resource


def test_a_span_has_the_ids_of_the_log_lines(tracer: trace.Tracer, sent: Sent) -> None:
    ids = {"payment_id": "p", "order_id": "o", "request_id": "r"}
    bound = structlog.contextvars.bound_contextvars(**ids, step="charge")
    with bound, tracer.start_as_current_span("request"):
        pass

    [span] = sent.spans
    assert span.attributes == {"payment.id": "p", "order.id": "o", "request.id": "r"}
    assert set(span.attributes or {}) <= EXPORTED


@pytest.mark.parametrize("state", [{}, {"tracestate": f"shop={CANARY}"}])
def test_of_a_callers_context_only_the_trace_is_taken(state: dict[str, str]) -> None:
    sent = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01", "baggage": f"a={CANARY}", **state}

    found = _WithoutState().extract(sent)

    context = trace.get_current_span(found).get_span_context()
    assert trace.format_trace_id(context.trace_id) == "ab" * 16
    assert (context.is_remote, dict(context.trace_state)) == (True, {})
    assert CANARY not in str(found)
