"""The requests of `docs/payments.http` get the responses that it describes."""

import re
from collections.abc import Iterator, Mapping
from functools import reduce
from typing import Any, NamedTuple

import httpx

from devstack.neighbours.decimal_json import loads_decimal
from tests.support.contract import DOCS
from tests.support.system import System

REQUEST = re.compile(
    r"### (?P<title>.+) → (?P<status>\d+)\n(?:# @name (?P<name>\w+)\n)?"
    r"(?P<method>[A-Z]+) (?P<url>\S+)\n(?P<headers>(?:[\w-]+: .*\n)*)(?:\n(?P<body>(?s:.+)))?"
)
VARIABLE = re.compile(r"^@(\w+) = (.+)$", re.MULTILINE)


class Request(NamedTuple):
    title: str
    status: int
    name: str | None
    method: str
    url: str
    headers: Mapping[str, str]
    body: str


def requests(collection: str) -> Iterator[Request]:
    for block in re.split(r"^(?=### )", collection, flags=re.MULTILINE)[1:]:
        found = REQUEST.fullmatch(block.rstrip() + "\n")
        assert found, block
        headers = (line.split(": ", 1) for line in found["headers"].splitlines())
        yield Request(
            found["title"],
            int(found["status"]),
            found["name"],
            found["method"],
            found["url"],
            dict(headers),
            found["body"] or "",
        )


def filled(text: str, variables: Mapping[str, Any]) -> str:
    """The text with the values of its `{{paths.of.names}}`."""

    def value(found: re.Match[str]) -> str:
        return str(reduce(lambda part, name: part[name], found[1].split("."), variables))

    return re.sub(r"\{\{([\w.]+)\}\}", value, text)


def named(name: str, answer: httpx.Response) -> dict[str, Any]:
    """The variables that later requests can read from a named request."""
    return {name: loads_decimal(answer.text), f"{name}Response": {"headers": answer.headers}}


async def test_every_request_is_answered_as_the_collection_says(system: System) -> None:
    collection = (DOCS / "payments.http").read_text()
    variables: dict[str, Any] = dict(VARIABLE.findall(collection))
    variables |= {name: system.url(name) for name in ("ordering", "inventory")}
    variables["payments"] = system.url("payment_api")

    for request in requests(collection):
        answer = await system.neighbours.request(
            request.method,
            filled(request.url, variables),
            headers={name: filled(value, variables) for name, value in request.headers.items()},
            content=filled(request.body, variables),
        )

        assert (request.title, answer.status_code) == (request.title, request.status), answer.text
        if request.name:
            variables |= named(request.name, answer)
