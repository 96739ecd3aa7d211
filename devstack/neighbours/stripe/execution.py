"""Executes POST requests as Stripe does: idempotency keys, locks, latency, faults.

https://docs.stripe.com/api/idempotent_requests and https://docs.stripe.com/error-low-level.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

from devstack.neighbours.stripe.account import Account, Saved
from devstack.neighbours.stripe.errors import (
    NotExecutedError,
    StripeError,
    ValidationFailedError,
    locked,
)
from devstack.neighbours.stripe.machine import Changes, new_id
from devstack.neighbours.stripe.params import ParamsT, read_params
from domain import exact_json

MAX_KEY = 255
"""The largest number of characters of an idempotency key."""


class Reply(NamedTuple):
    status: int
    body: str
    request_id: str
    is_replayed: bool = False


@dataclass(frozen=True)
class Call(Generic[ParamsT]):
    """A POST request. `path` contains the id of the object.

    Stripe accepts an idempotency key only for the path with which it was used first.

    `work` returns what the request changes, `show` makes the body of a success. `intent` is the id
    of the PaymentIntent that no other request may change meanwhile.
    """

    operation: str
    path: str
    key: str | None
    values: dict[str, Any]
    params: type[ParamsT]
    work: Callable[[ParamsT], Changes]
    show: Callable[[Changes, ParamsT], dict[str, Any]]
    intent: str | None = None


class Executor:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._running: dict[str, tuple[str, dict[str, Any]]] = {}
        self._locked: set[str] = set()

    async def run(self, call: Call[ParamsT]) -> Reply:
        """Return the saved response for this key, or execute the request.

        Execution continues if the caller disconnects. Raises StripeError if the request is not
        executed; then nothing is saved.
        """
        if replay := self._replay(call):
            return replay
        params = read_params(call.values, call.params)
        if call.intent in self._locked:
            raise locked()
        if call.key:
            self._running[call.key] = call.path, call.values
        if call.intent:
            self._locked.add(call.intent)
        return await asyncio.shield(asyncio.create_task(self._execute(call, params)))

    def _replay(self, call: Call[ParamsT]) -> Reply | None:
        if call.key is None:
            return None
        if len(call.key) > MAX_KEY:
            raise ValidationFailedError(f"An idempotency key has at most {MAX_KEY} characters.")
        if running := self._running.get(call.key):
            _check_same(call, *running)
            raise _in_use(call.key)
        saved = self._account.saved.get(call.key)
        if saved is None:
            return None
        _check_same(call, saved.path, saved.values)
        return Reply(saved.status, saved.body, saved.request_id, is_replayed=True)

    async def _execute(self, call: Call[ParamsT], params: ParamsT) -> Reply:
        half_seconds = self._latency_ms(call) / 2000
        try:
            await asyncio.sleep(half_seconds)
            reply = self._carry_out(call, params)
            await asyncio.sleep(half_seconds)
            return reply
        finally:
            self._running.pop(call.key or "", None)
            self._locked.discard(call.intent or "")

    def _latency_ms(self, call: Call[ParamsT]) -> int:
        intent = self._account.intents.get(call.intent or "")
        return self._account.behaviour_of(intent).latency_ms if intent and _is_slow(call) else 0

    def _carry_out(self, call: Call[ParamsT], params: ParamsT) -> Reply:
        """Execute the request. There is no `await` in here, so its changes are atomic."""
        fault = self._account.take_fault(call.operation)
        changes = Changes() if fault and not fault.has_effect else _changes(call, params)
        if fault:
            status, body = 500, _api_error().body
        elif changes.error:
            status, body = changes.error.status, changes.error.body
        else:
            status, body = 200, call.show(changes, params)
        reply = Reply(status, exact_json.dumps(body).decode(), new_id("req"))
        saved = _saved(call, call.key, reply) if call.key else None
        self._account.keep(changes, saved, reply.request_id)
        return reply


def _is_slow(call: Call[ParamsT]) -> bool:
    """Whether `latency_ms` applies: only a confirmation asks the card's bank."""
    return call.operation == "confirm"


def _changes(call: Call[ParamsT], params: ParamsT) -> Changes:
    try:
        return call.work(params)
    except (ValidationFailedError, NotExecutedError):
        raise
    except StripeError as error:
        return Changes(error=error)


def _saved(call: Call[ParamsT], key: str, reply: Reply) -> Saved:
    return Saved(
        key=key,
        path=call.path,
        values=call.values,
        status=reply.status,
        body=reply.body,
        request_id=reply.request_id,
    )


def _check_same(call: Call[ParamsT], path: str, values: dict[str, Any]) -> None:
    """Raise NotExecutedError if the key was used with another path or other parameters."""
    if call.path != path:
        raise _idempotency_error(f"for the same endpoint ('{path}' and not '{call.path}')", call)
    if call.values != values:
        raise _idempotency_error("with the same parameters", call)


def _idempotency_error(what: str, call: Call[ParamsT]) -> StripeError:
    message = (
        f"Keys for idempotent requests can only be used {what} that they were first used with. "
        f"Try using a key other than '{call.key}' if you meant to execute a different request."
    )
    return NotExecutedError(400, message, "idempotency_error")


def _in_use(key: str) -> StripeError:
    message = f"There is currently another in-progress request using the idempotency key '{key}'."
    error = NotExecutedError(409, message, code="idempotency_key_in_use")
    error.headers = {"Stripe-Should-Retry": "true"}
    return error


def _api_error() -> StripeError:
    return StripeError(500, "An unknown error occurred.", "api_error")
