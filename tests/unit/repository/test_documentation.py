"""What the documentation says about configuration and HTTP is what the code does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import validator_for

from api.errors import STATUSES
from api.request_errors import RequestErrorCode
from bootstrap.settings import Settings
from domain.errors import ErrorCode
from domain.metrics import METRICS
from tests.support.contract import CONTRACTS, DOCS, openapi, text_of

CONTRACT = openapi()


def rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = ",".join(default) if isinstance(default, tuple) else default
        said = "not set" if shown in {None, ""} else f"`{shown}`"
        yield f"| `{name.upper()}` | {said} | {field.description} |"


@pytest.mark.parametrize("contract", CONTRACTS)
def test_the_contract_is_the_one_that_others_know(contract: str) -> None:
    """If the change is intended, `make contract` writes the new contract."""
    assert (DOCS / contract).read_text() == text_of(contract)


UNSEEN = {
    ErrorCode.GATEWAY_UNAVAILABLE,
    ErrorCode.EVENTS_UNAVAILABLE,
    RequestErrorCode.INTERNAL_ERROR,
    RequestErrorCode.NOT_FOUND,
    RequestErrorCode.METHOD_NOT_ALLOWED,
}
"""Failures of steps, bugs, and unknown addresses or methods, which no operation documents."""


def answers() -> Iterator[tuple[str, Any, Any]]:
    """Each status of every operation, with its schema and each example."""
    for path, operations in CONTRACT["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get("application/json", {})
                for example in examples(content):
                    yield f"{method} {path} {status}", content["schema"], example


def examples(content: Any) -> list[Any]:
    named = [each["value"] for each in content.get("examples", {}).values()]
    return [*named, *([content["example"]] if "example" in content else [])]


@pytest.mark.parametrize(("name", "schema", "example"), [*answers()])
def test_an_example_is_what_it_says(name: str, schema: Any, example: Any) -> None:
    whole = {**schema, "components": CONTRACT["components"]}

    validator_for(whole, validate_formats=True).validate(example)
    if "status" in example:
        assert name.endswith(str(example["status"]))
        assert STATUSES[example["code"]] == example["status"]


def test_every_failure_has_an_example() -> None:
    shown = {example["code"] for _, _, example in answers() if "code" in example}

    assert shown == {*ErrorCode, *RequestErrorCode} - UNSEEN


def test_every_setting_is_documented() -> None:
    documented = [
        line
        for line in (DOCS / "configuration.md").read_text().splitlines()
        if line.startswith("| `")
    ]

    assert documented == list(rows())


def test_every_metric_is_documented() -> None:
    section = (DOCS / "operations.md").read_text().partition("## Metrics")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `[a-z_]+` \| .*$", section, flags=re.MULTILINE)

    assert documented == [
        f"| `{each.exported_name}` | {', '.join(each.labels) or 'none'} | {each.meaning} |"
        for each in METRICS
    ]


HTTP = (DOCS / "http.md").read_text()
OF_SUCCESS = {200, 201, 202, 304}


def test_every_status_is_explained() -> None:
    cells = re.findall(r"^\| ([\d, ]+) \|", HTTP, flags=re.MULTILINE)
    explained = sorted(int(status) for cell in cells for status in cell.split(","))

    assert explained == sorted(OF_SUCCESS | {*map(int, STATUSES.values())})


def test_every_operation_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+ /\S*)` \|", HTTP, flags=re.MULTILINE)
    paths = CONTRACT["paths"]

    assert sorted(explained) == sorted(
        f"{method.upper()} {path}" for path in paths for method in paths[path]
    )
