"""Log lines are JSON, also those of the core of Temporal's SDK, whose fields may be payloads."""

import logging
from types import SimpleNamespace

import structlog

from bootstrap import logs
from tests.support.log_lines import log_lines


def test_a_line_has_the_ids_that_are_bound() -> None:
    with log_lines() as lines, structlog.contextvars.bound_contextvars(payment_id="7"):
        logging.getLogger("steps").info("%s failed", "charge", extra={"attempt": 2})

    [line] = lines
    assert line.pop("timestamp")
    assert line == {
        "payment_id": "7",
        "attempt": 2,
        "event": "charge failed",
        "level": "info",
        "logger": "steps",
    }


def test_a_line_of_the_core_has_no_payload() -> None:
    fields = {"workflow_id": "payment-7", "failure": "Payload { data: secret }"}
    with log_lines() as lines:
        logs.CORE.warning("Failed", extra={"temporal_log": SimpleNamespace(fields=fields)})

    [line] = lines
    assert (line["event"], line["workflow_id"]) == ("Failed", "payment-7")
    assert "secret" not in str(line)
