"""Sends forged, changed and odd webhooks to the application in this process.

Only webhooks that Stripe has signed may be accepted. A changed event with a valid signature may not
affect another payment. Stripe's own client and the rules of this module decide which webhooks are
genuine.
"""

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import stripe
from fastapi import FastAPI
from pydantic import SecretStr

from api.main import build_app
from api.webhooks.signature import TOLERANCE_SECONDS
from api.webhooks.stripe import StripeWebhook
from api.webhooks.stripe_events import OBJECTS
from bootstrap.settings import Settings
from tests.proofs.hostile.tally import Tally
from tests.proofs.hostile.webhook_changes import PAYMENT, REFUND, SECRETS, Webhook, a_webhook
from tests.support.asgi import exchange
from tests.support.fake_resources import ALLOWANCE, FakeResources
from tests.support.fakes.webhooks import FakeWebhookWorkflows
from tests.support.stripe_events import NOW

EXPECTED = {200, 400, 404, 413, 415, 429}
"""Allowed statuses. 500 and 503 would be bugs, because everything behind the route works."""


def is_genuine(one: Webhook) -> bool:
    """Whether Stripe has signed this body with one of our secrets, and recently."""
    if len(one.signatures) != 1:
        return False
    header = one.signatures[0].decode("latin-1")
    times = re.findall(r"(?:^|,)t=([^,]*)", header)
    if len(times) != 1 or not times[0].isascii() or not times[0].isdecimal():
        return False
    is_recent = len(times[0]) < 13 and abs(NOW - int(times[0])) <= TOLERANCE_SECONDS
    return is_recent and any(_accepts(header, one.body, each) for each in SECRETS)


def _accepts(header: str, body: bytes, secret: str) -> bool:
    """Whether Stripe's own client accepts the signature.

    The client cannot read parts of the header that are not ASCII, so these are left out.
    """
    readable = ",".join(each for each in header.split(",") if each.isascii())
    try:
        return bool(stripe.WebhookSignature.verify_header(body, readable, secret, None))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


class Endpoint:
    """An application with fakes behind its routes, where the payment and its refund run."""

    def __init__(self) -> None:
        self._app: FastAPI = build_app(Settings.model_construct())

    async def send(self, one: Webhook, *, is_limited: bool) -> tuple[int, bytes, list[str]]:
        """Returns status and body of the response, and the workflows signalled or started."""
        resources = FakeResources(recorded=[PAYMENT])
        resources.allowance = ALLOWANCE._replace(is_exceeded=is_limited)
        workflows = FakeWebhookWorkflows(running={PAYMENT.id, REFUND})
        secrets = [SecretStr(each) for each in SECRETS]
        payments, refunds = resources.payments, resources.refunds
        webhook = StripeWebhook(payments, refunds, workflows, secrets, False, lambda: NOW)
        resources.webhooks = {"stripe": webhook}
        self._app.state.resources = resources.build()
        chunks = [one.body[at : at + 65_536] for at in range(0, len(one.body), 65_536)]
        sent = await exchange(self._app, _scope(one), chunks)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        started = [*workflows.resumed, *workflows.undone, *workflows.refunds_watched]
        effects = [*workflows.signalled, *started, *workflows.watched]
        return int(sent[0]["status"]), body, [str(each) for each in effects]


def _scope(one: Webhook) -> dict[str, Any]:
    headers = [(b"content-type", one.media_type), (b"host", b"payments")]
    return {
        "type": "http",
        "method": "POST",
        "path": one.path,
        "raw_path": one.path.encode(),
        "query_string": b"",
        "headers": headers + [(b"stripe-signature", each) for each in one.signatures],
        "client": ("10.0.0.1", 1),
    }


def _objections(one: Webhook, status: int, body: bytes, effects: list[str]) -> Iterator[str]:
    if status not in EXPECTED:
        yield "an unexpected status"
    if body and status != 404:  # 404 is also the response to an unknown path
        yield "a body"
    if status != 200:
        if effects:
            yield "an effect of what is refused"
        return
    if not is_genuine(one):
        yield "a forged webhook is accepted"
        return
    event = json.loads(one.body, parse_int=str)
    if event.get("livemode") is not False or event.get("account") is not None:
        yield "an event of another account or mode is accepted"
    shown = json.dumps(event)
    ids = (str(PAYMENT.id), str(REFUND), "pi_1")
    if len(effects) > 1 or any(each in ids and each not in shown for each in effects):
        yield "an effect on something else"


def _has_effect(honest: Webhook) -> bool:
    return json.loads(honest.body)["type"] in OBJECTS


async def attack(seed: int, count: int) -> Tally:
    """Send `count` webhooks. The same seed makes the same webhooks."""
    dice, tally, endpoint = random.Random(seed), Tally(), Endpoint()
    for number in range(count):
        one, is_honest = a_webhook(dice)
        kind = "honest" if is_honest else "genuine" if is_genuine(one) else "forged"
        answer = await endpoint.send(one, is_limited=dice.randrange(10) == 0)
        status, _, effects = answer
        if is_honest and (status != 200 or bool(effects) is not _has_effect(one)):
            tally.wrong.append(f"seed {seed}, {number}: an honest webhook gets {status}, {effects}")
        tally.outcomes[f"{kind}: {status}{', which has an effect' if effects else ''}"] += 1
        for objection in _objections(one, *answer):
            tally.wrong.append(f"seed {seed}, {number}: {objection} (HTTP {status})")
    return tally
