"""Sends one hostile request to the application in this process, and checks the response."""

import json
import time
from collections import Counter
from decimal import Decimal
from http import HTTPStatus
from random import Random
from typing import Any, NamedTuple

from fastapi import FastAPI

from api.main import build_app
from bootstrap.settings import Settings
from domain.money import EXPONENTS
from tests.proofs.fuzz.hostile import CANARY, Request, a_request
from tests.support.asgi import exchange
from tests.support.fake_resources import ENVELOPE, PROBLEM, SUCCEEDED, FakeResources

EXPECTED = {200, 201, 202, 304, 400, 401, 404, 405, 409, 413, 415, 422}
"""Allowed statuses. 500 and 503 would be bugs, because everything behind the routes works."""
PREFLIGHT = b"access-control-request-method"
MAX_CPU_SECONDS = 0.005
TRIES = 5


class Answer(NamedTuple):
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    cpu_seconds: float

    @property
    def is_refusal(self) -> bool:
        return self.status >= HTTPStatus.BAD_REQUEST


class Trial:
    """An application with fakes behind its routes."""

    def __init__(self) -> None:
        self._app: FastAPI = build_app(Settings.model_construct())
        self._resources = FakeResources()

    async def answer(self, request: Request) -> Answer:
        self._resources = FakeResources(outcome=SUCCEEDED, recorded=[SUCCEEDED])
        self._app.state.resources = self._resources.build()
        began = time.process_time()
        sent = await exchange(self._app, _scope(request), request.body)
        spent = time.process_time() - began
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(int(sent[0]["status"]), dict(sent[0]["headers"]), body, spent)

    async def judge(self, request: Request) -> Answer:
        """Send the request and return the response. Raises AssertionError if it is not allowed."""
        answer = await self.answer(request)
        assert answer.status in EXPECTED, answer
        if answer.is_refusal and not _is_preflight(request):
            _assert_problem(answer)
        assert CANARY.encode() not in answer.body.lower()
        self._assert_exact(request, answer)
        return answer

    async def cpu_of(self, request: Request, answer: Answer) -> float:
        """The CPU time of a response. A high figure is measured again: the machine may be busy."""
        if answer.cpu_seconds < MAX_CPU_SECONDS:
            return answer.cpu_seconds
        return min([(await self.answer(request)).cpu_seconds for _ in range(TRIES)])

    def _assert_exact(self, request: Request, answer: Answer) -> None:
        """Check the payments that the request has started.

        A refused request has started none, except one that is refused with 401. Each has exactly
        the requested amount.
        """
        started = self._resources.started
        if answer.is_refusal and answer.status != HTTPStatus.UNAUTHORIZED:
            assert started == []
        for instruction in started:
            asked = json.loads(b"".join(request.body), parse_float=Decimal, parse_int=Decimal)
            amount = Decimal(asked["amount"])
            assert instruction.amount.currency == (asked.get("currency") or "USD")
            assert instruction.amount.minor_units == amount * _units(instruction.amount.currency)


def _is_preflight(request: Request) -> bool:
    """Whether a browser sends this before the real request. No caller sees the response."""
    return request.method == "OPTIONS" and PREFLIGHT in dict(request.headers)


def _units(currency: str) -> int:
    return int(10 ** EXPONENTS[currency])


def _assert_problem(answer: Answer) -> None:
    body: dict[str, Any] = json.loads(answer.body)
    assert body.keys() - {"errors"} == PROBLEM | ENVELOPE, body
    assert (body["success"], body["status"]) == (False, answer.status)
    assert answer.headers[b"content-type"] in {b"application/json", b"application/problem+json"}
    assert answer.headers[b"cache-control"] == b"no-store"


def _scope(request: Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.path.encode(),
        "query_string": request.query,
        "root_path": "",
        "headers": request.headers,
        "client": ("127.0.0.1", 1),
        "server": ("payments", 80),
    }


class Tally(NamedTuple):
    """The results of a number of requests."""

    inputs: int
    statuses: Counter[int]
    most_cpu_seconds: float
    """Of one refusal."""

    def __add__(self, other: "Tally") -> "Tally":  # type: ignore[override]
        return Tally(
            self.inputs + other.inputs,
            self.statuses + other.statuses,
            max(self.most_cpu_seconds, other.most_cpu_seconds),
        )


async def attempt(seed: int, inputs: int) -> Tally:
    """Send this number of requests. Raises AssertionError for the first wrong response."""
    dice, trial = Random(seed), Trial()
    statuses: Counter[int] = Counter()
    most = 0.0
    for number in range(inputs):
        request = a_request(dice)
        try:
            answer = await trial.judge(request)
        except Exception as error:
            raise AssertionError(f"seed {seed}, request {number}: {request}") from error
        statuses[answer.status] += 1
        if answer.is_refusal:
            most = max(most, await trial.cpu_of(request, answer))
    return Tally(inputs, statuses, most)
