"""Logs: one JSON object per line, with the context variables that structlog has bound."""

import logging.config
from typing import Any

import structlog

QUIET = {"aiokafka": "CRITICAL", "httpx": "WARNING", "httpcore": "WARNING", "alembic": "WARNING"}
"""Lowest log levels of libraries that log every request or every failed connection. No failure is
lost: they also raise an exception."""


def configure(level: str) -> None:
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": _formatter}},
            "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"level": level, "handlers": ["out"]},
            "loggers": {name: {"level": quiet} for name, quiet in QUIET.items()},
        }
    )


def _formatter() -> structlog.stdlib.ProcessorFormatter:
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
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
