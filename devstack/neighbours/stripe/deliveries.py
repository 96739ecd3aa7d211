"""Sends signed events to the account's endpoint until it accepts them.

https://docs.stripe.com/webhooks: events may arrive in any order and more than once, and each
attempt has its own signature.
"""

import asyncio
import hmac
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from types import TracebackType
from typing import Self

import httpx

from devstack.neighbours.stripe.account import Account
from devstack.neighbours.stripe.behaviour import EventBehaviour
from devstack.neighbours.stripe.events import Event
from devstack.neighbours.stripe.machine import new_id
from devstack.neighbours.stripe.outbox import chosen
from devstack.neighbours.times import utc_now

TIMEOUT_SECONDS = 20
"""The time limit for a response of the endpoint. Stripe documents none. Chosen, not measured."""
FIRST_PAUSE = timedelta(milliseconds=500)
LONGEST_PAUSE = timedelta(seconds=30)
"""The pauses between attempts double from the first to the longest. Stripe's pauses are minutes and
hours; these are short, because tests wait for them."""
GIVE_UP_AFTER = timedelta(days=3)
REORDERED_BY = timedelta(milliseconds=500)
"""The additional delay of an event that arrives after later ones. Chosen, not measured."""
MAX_CONNECTIONS = 20
"""The largest number of events that are sent at once. Chosen, not measured."""
WRONG_SECRET = "whsec_of_somebody_else"  # noqa: S105 (known to everybody, and to no endpoint)


class Deliveries:
    """Sends the events to the endpoint at `url`, signed with its current or previous secret.

    `sent` and `accepted` count attempts: of `genuine` events, and of `forged`, `foreign` and `live`
    ones, which an endpoint must refuse.
    """

    def __init__(
        self,
        account: Account,
        url: str,
        secret: str,
        previous_secret: str,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.sent: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self._account = account
        self._url = url
        self._secrets = {
            "current": [secret],
            "previous": [previous_secret],
            "both": [secret, previous_secret],
            "wrong": [WRONG_SECRET],
        }
        self._client = client
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._attempts: Counter[str] = Counter()
        self._not_before: dict[str, datetime] = {}

    async def __aenter__(self) -> Self:
        limits = httpx.Limits(max_connections=MAX_CONNECTIONS)
        timeout = httpx.Timeout(TIMEOUT_SECONDS, pool=None)
        self._client = self._client or httpx.AsyncClient(
            trust_env=False, limits=limits, timeout=timeout
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel the running requests. Their events are sent again after the next start."""
        tasks = [*self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert self._client
        await self._client.aclose()

    def begin_due(self) -> None:
        """Start to send the events that are due."""
        now = utc_now()
        for event in [*self._account.outbox.unsent.values()]:
            if event.id not in self._tasks and self._due_at(event) <= now:
                self._tasks[event.id] = asyncio.create_task(self._deliver(event))

    async def send(self, event: Event) -> int | None:
        """Send the event once more. Returns the HTTP status, or None if there is no response."""
        return await self._post("genuine", event.body, self._secrets_of(self._behaviour(event)))

    async def _deliver(self, event: Event) -> None:
        try:
            await self._try(event)
        finally:
            self._tasks.pop(event.id, None)

    async def _try(self, event: Event) -> None:
        behaviour = self._behaviour(event)
        if chosen(event.id, "lose", behaviour.lose):
            self._finish(event)
            return
        if not self._attempts[event.id]:
            await self._send_fakes(event, behaviour)
        secrets = self._secrets_of(behaviour)
        if _is_success(await self._post("genuine", event.body, secrets)):
            if chosen(event.id, "double", behaviour.double):
                await self._post("genuine", event.body, secrets)
            self._finish(event)
        elif utc_now() - event.created > GIVE_UP_AFTER:
            self._finish(event)
        else:
            pause = FIRST_PAUSE * 2 ** min(self._attempts[event.id], 10)
            self._not_before[event.id] = utc_now() + min(pause, LONGEST_PAUSE)
            self._attempts[event.id] += 1

    def _finish(self, event: Event) -> None:
        self._account.finish_event(event.id)
        self._attempts.pop(event.id, None)
        self._not_before.pop(event.id, None)

    async def _send_fakes(self, event: Event, behaviour: EventBehaviour) -> None:
        """Send events that the endpoint must refuse, once."""
        for name, body in _fakes(event, behaviour):
            secrets = [WRONG_SECRET] if name == "forged" else self._secrets_of(behaviour)
            await self._post(name, body, secrets)

    async def _post(self, name: str, body: str, secrets: Sequence[str]) -> int | None:
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "stripe-signature": signature(body, secrets, utc_now()),
        }
        assert self._client, "events are sent only while the application runs"
        self.sent[name] += 1
        try:
            response = await self._client.post(self._url, content=body.encode(), headers=headers)
        except httpx.HTTPError:
            return None
        self.accepted[name] += _is_success(response.status_code)
        return response.status_code

    def _behaviour(self, event: Event) -> EventBehaviour:
        return self._account.behaviour_of_order(event.order_id).events

    def _secrets_of(self, behaviour: EventBehaviour) -> Sequence[str]:
        return self._secrets[behaviour.sign]

    def _due_at(self, event: Event) -> datetime:
        if next_attempt := self._not_before.get(event.id):
            return next_attempt
        behaviour = self._behaviour(event)
        later = REORDERED_BY if chosen(event.id, "reorder", behaviour.reorder) else timedelta()
        return event.created + timedelta(milliseconds=behaviour.delay_ms) + later


def signature(body: str, secrets: Sequence[str], now: datetime) -> str:
    """The value of the header `Stripe-Signature`: the time, and one `v1` for each secret."""
    time = int(now.timestamp())
    signed = f"{time}.{body}".encode()
    made = [f"v1={hmac.digest(each.encode(), signed, sha256).hex()}" for each in secrets]
    return ",".join([f"t={time}", *made])


def _fakes(event: Event, behaviour: EventBehaviour) -> Iterator[tuple[str, str]]:
    """The kinds and bodies of wrong copies of the event. Each copy has its own id."""
    members: dict[str, tuple[float, dict[str, object]]] = {
        "forged": (behaviour.forge, {}),
        "foreign": (behaviour.foreign, {"account": "acct_1SomebodyElse0000"}),
        "live": (behaviour.live, {"livemode": True}),
    }
    for name, (share, changes) in members.items():
        if chosen(event.id, name, share):
            yield name, json.dumps({**json.loads(event.body), "id": new_id("evt"), **changes})


def _is_success(status: int | None) -> bool:
    """Whether the endpoint has accepted an event. Stripe does not follow redirects."""
    return status is not None and 200 <= status < 300  # noqa: PLR2004
