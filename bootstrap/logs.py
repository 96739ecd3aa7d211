"""Logs: one JSON object per line, with the context variables that structlog has bound."""

import logging.config
from collections.abc import Mapping
from typing import Any

import structlog
from opentelemetry import trace
from temporalio import activity, workflow

QUIET = {"aiokafka": "CRITICAL", "httpx": "WARNING", "httpcore": "WARNING", "alembic": "WARNING"}
"""Lowest log levels of libraries that log every request or every failed connection. No failure is
lost: they also raise an exception."""

CORE = logging.getLogger("temporalio.core")
"""The logger of the core of Temporal's SDK, which is not written in Python."""
CORE_FIELDS = ("workflow_id", "run_id", "activity_id", "task_queue", "error")
"""The fields of a line of the core that we log. The other fields may contain payloads."""


def configure(level: str) -> None:
    """Log to stderr. The lowest level is `level`, except for the libraries in QUIET."""
    workflow.logger.workflow_info_on_message = False  # the line has it as fields
    activity.logger.activity_info_on_message = False
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": formatter}},
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"level": level, "handlers": ["out"]},
            "loggers": {name: {"level": quiet} for name, quiet in QUIET.items()},
        }
    )


def current_trace() -> dict[str, str]:
    """A mapping with the id of the current trace as `trace_id`, in 32 hexadecimal digits.

    The mapping is empty if there is no current trace.
    """
    span = trace.get_current_span().get_span_context()
    return {"trace_id": trace.format_trace_id(span.trace_id)} if span.is_valid else {}


def span_attributes(ids: Mapping[str, str]) -> dict[str, str]:
    """The ids as attributes of a span: `payment_id` of a log line is `payment.id` there."""
    return {name.replace("_", "."): value for name, value in ids.items()}


def formatter() -> structlog.stdlib.ProcessorFormatter:
    """Formats a log record as one line of JSON, with the ids that are bound at that time."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _add_core_fields,
        _add_trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),
        ],
    )


def _add_trace(logger: Any, method: str, line: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    """Add the id of the current trace, unless the line already has one."""
    return {**current_trace(), **line}


def _add_core_fields(logger: Any, method: str, line: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001
    core = line.pop("temporal_log", None)
    if core is not None:
        line |= {name: core.fields[name] for name in CORE_FIELDS if name in core.fields}
    return line
