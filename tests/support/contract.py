"""The published contracts: `python -m tests.support.contract` writes them to `docs/`."""

import json
from pathlib import Path
from typing import Any

from jsonschema_rs import Validator, validator_for
from pydantic.json_schema import models_json_schema

from api.main import build_app
from bootstrap.settings import Settings
from domain import names
from domain.events import EventBody, PaymentFailed, PaymentRefunded, PaymentSucceeded
from domain.version import VERSION

DOCS = Path(__file__).parents[2] / "docs"
BODIES: dict[str, type[EventBody]] = {
    names.TOPIC_SUCCEEDED: PaymentSucceeded,
    names.TOPIC_FAILED: PaymentFailed,
    names.TOPIC_REFUNDED: PaymentRefunded,
}
TEXT = {"type": "string"}
HEADERS = {
    "content-type": {"const": "application/json"},
    "ce_specversion": {"const": "1.0"},
    "ce_id": {**TEXT, "format": "uuid", "description": "The same in every copy of the event."},
    "ce_type": {"enum": list(names.TOPICS)},
    "ce_source": {"const": "/payments"},
    "ce_subject": {**TEXT, "format": "uuid", "description": "The payment, or the refund."},
    "traceparent": {
        **TEXT,
        "description": "The trace (W3C Trace Context), if the service makes traces.",
    },
}
REQUIRED_HEADERS = [name for name in HEADERS if name != "traceparent"]


def openapi() -> dict[str, Any]:
    """The OpenAPI document that the running service serves at `/openapi.json`."""
    return build_app(Settings.model_construct()).openapi()


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document: each topic, and the headers and body of its records."""
    _, schemas = models_json_schema(
        [(body, "serialization") for body in BODIES.values()],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Payment events", "version": VERSION},
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in names.TOPICS},
        "operations": {topic: _operation(topic) for topic in names.TOPICS},
        "components": {
            "messages": {topic: _message(topic) for topic in names.TOPICS},
            "schemas": schemas["$defs"],
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    return {"address": topic, "messages": {topic: {"$ref": f"#/components/messages/{topic}"}}}


def _operation(topic: str) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic}"}}


def _message(topic: str) -> dict[str, Any]:
    body = BODIES[topic]
    return {
        "name": topic,
        "summary": body.__doc__,
        "headers": {"type": "object", "properties": HEADERS, "required": REQUIRED_HEADERS},
        "payload": {"$ref": f"#/components/schemas/{body.__name__}"},
        "bindings": {
            "kafka": {"key": {**TEXT, "format": "uuid", "description": "The order's id."}}
        },
    }


def event_validator(topic: str) -> Validator:
    """A validator of record bodies, made from the published schema."""
    contract = asyncapi()
    schema = contract["components"]["messages"][topic]["payload"]
    return validator_for({**schema, "components": contract["components"]}, validate_formats=True)


CONTRACTS = {"openapi.json": openapi, "asyncapi.json": asyncapi}


def text_of(name: str) -> str:
    return json.dumps(CONTRACTS[name](), indent=2) + "\n"


if __name__ == "__main__":
    for contract in CONTRACTS:
        (DOCS / contract).write_text(text_of(contract))
