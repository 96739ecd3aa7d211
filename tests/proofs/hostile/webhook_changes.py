"""Makes webhooks as Stripe sends them, and changes them as an attacker, a proxy or a bug might."""

import contextlib
import gzip
import json
import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from api.webhooks.routes import MAX_BODY_BYTES
from api.webhooks.signature import TOLERANCE_SECONDS
from api.webhooks.stripe_events import OBJECTS
from tests.proofs.hostile.mutations import ENCODINGS, VALUES
from tests.support.builders import a_payment
from tests.support.stripe_events import (
    NOW,
    SECRET,
    an_event,
    an_object,
    metadata_of,
    refund_metadata,
    signature,
)

OLD_SECRET = "whsec_of_yesterday"
SECRETS = (SECRET, OLD_SECRET)
PAYMENT = a_payment(
    id=UUID("0f8fad5b-d9cb-469f-a165-708677289501"),
    order_id=UUID("0f8fad5b-d9cb-469f-a165-708677289502"),
    gateway="stripe",
)
REFUND = UUID("0f8fad5b-d9cb-469f-a165-708677289503")
MEDIA_TYPES = (
    *(b"", b"text/plain", b"application/json; charset=utf-16", b"APPLICATION/JSON;x", b"*/*"),
    *(b"application/x-www-form-urlencoded", b"application/problem+json", b"\xff"),
)
PATHS = (
    *("/webhooks/stripe/", "/webhooks/", "/webhooks/paypal", "/webhooks/str\u0131pe"),
    *("/webhooks/simulator", "/webhooks/stripe%00", "/webhooks/../payments", "/WEBHOOKS/STRIPE"),
)
TYPES = (*OBJECTS, "charge.succeeded", "balance.available", "payment_intent.created")


class Webhook(NamedTuple):
    """An HTTP request to the API, which is not always addressed to the route of webhooks."""

    body: bytes
    signatures: list[bytes]
    """All values of the header `Stripe-Signature`."""
    media_type: bytes = b"application/json"
    path: str = "/webhooks/stripe"


def _honest(dice: random.Random) -> Webhook:
    """Make an event about the running payment, its running refund, a dispute or something else."""
    name = dice.choice(TYPES)
    body = an_event(name, _object(name, dice), id=f"evt_{dice.randrange(10**6)}")
    return _signed(body, dice)


def _object(name: str, dice: random.Random) -> dict[str, Any]:
    kind = OBJECTS.get(name, "charge")
    mine = refund_metadata(PAYMENT, REFUND if dice.random() < 0.5 else None)
    return an_object(kind, mine if kind == "refund" else metadata_of(PAYMENT))


def _signed(body: bytes, dice: random.Random) -> Webhook:
    secret, at = dice.choice(SECRETS), NOW + dice.randint(-TOLERANCE_SECONDS, TOLERANCE_SECONDS)
    header = signature(body, secret, at)
    if dice.random() < 0.3:  # while a secret is replaced
        header += f",v1={signature(body, 'whsec_of_tomorrow', at).partition('v1=')[2]},v0=a"
    return Webhook(body, [header.encode()])


def _changed_header(one: Webhook, dice: random.Random) -> Webhook:
    header = one.signatures[0] if one.signatures else b""
    at = dice.randrange(len(header) + 1)
    time, _, rest = header.partition(b",")
    changes: tuple[Callable[[], list[bytes]], ...] = (
        list,
        lambda: [b""],
        lambda: [header, header],
        lambda: [header, b"t=1,v1=a"],
        lambda: [b", ".join([header, header])],
        lambda: [header[:at] + bytes([dice.randrange(256)]) + header[at + 1 :]],
        lambda: [header[:at]],
        lambda: [header[at:]],
        lambda: [header.upper()],
        lambda: [header.replace(b"v1", dice.choice((b"v0", b"V1", b"v2", b" v1", b"v1=v1")))],
        lambda: [rest],
        lambda: [time],
        lambda: [time + b"," + header],
        lambda: [b"t=%d,%b" % (NOW + dice.randint(-400, 400), header)],
        lambda: [b"t=%d,%b" % (NOW + dice.randint(-400, 400), rest)],
        lambda: [dice.choice((b"t=", b"t=+", b"t= ", b"t=0x", b"t=-", b"t=1e9")) + header[2:]],
        lambda: [b"t=%b,%b" % (b"9" * dice.choice((12, 13, 400, 5000)), rest)],
        lambda: [header.replace(b"=", dice.choice((b"", b"==", b":", b"=\xd9\xa1")))],
        lambda: [header + b",v1=" + b"a" * dice.choice((64, 4096, 100_000))],
        lambda: [header.replace(b"v1=", b"v1=" + dice.choice((b" ", b"\x00", b"0", b"\xff")))],
        lambda: [dice.randbytes(dice.randint(1, 300))],
    )
    return one._replace(signatures=dice.choice(changes)())


def _wrongly_signed(one: Webhook, dice: random.Random) -> Webhook:
    """Replace the signature by one with another secret, for another body, or of another time."""
    far = dice.choice((-1, 1)) * dice.choice((301, 3600, 86_400, 10**8, 10**9))
    changes: tuple[Callable[[], str], ...] = (
        lambda: signature(one.body, ""),
        lambda: signature(one.body, dice.choice(("whsec_another", SECRET[:-1], SECRET + " "))),
        lambda: signature(one.body + b" "),
        lambda: signature(b""),
        lambda: signature(one.body, dice.choice(SECRETS), NOW + far),
        lambda: signature(one.body, dice.choice(SECRETS), dice.choice(("", "0", "-1", "NaN"))),
    )
    return one._replace(signatures=[dice.choice(changes)().encode()])


def _changed_body(one: Webhook, dice: random.Random) -> Webhook:
    body = one.body
    at = dice.randrange(len(body) + 1)
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: body[:at],
        lambda: body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :],
        lambda: body[:at] + dice.randbytes(dice.randint(1, 20)) + body[at:],
        lambda: body + dice.choice((b" ", b"\n", b"\x00", b"{}")),
        lambda: body + body,
        lambda: b"[" + body + b"]",
        lambda: b"[" * dice.choice((10, 1000, 100_000)) + body,
        lambda: b"\xef\xbb\xbf" + body,
        lambda: body.decode(errors="replace").encode(dice.choice(ENCODINGS), "replace"),
        lambda: body + b" " * max(0, MAX_BODY_BYTES - len(body) + dice.choice((0, 1))),
        lambda: dice.randbytes(dice.randint(0, 200)),
        lambda: dice.choice((b"", b" ", b"null", b"{}", b"[]", b'""', b"<html>", b"0", b"NaN")),
        lambda: gzip.compress(body),
        lambda: body.replace(b'"', b"'"),
        lambda: body.replace(b"evt_", b"evt_\\ud800"),
        lambda: re.sub(rb"\s+", b"", body),
        lambda: body.replace(b"1795000000", b"9" * 5000),
    )
    return one._replace(body=dice.choice(changes)())


def _changed_member(one: Webhook, dice: random.Random) -> Webhook:
    """Change a member of the event, of its object or of the object's metadata."""
    try:
        event = json.loads(one.body)
        about = event["data"]["object"]
        _change(dice.choice([event, event, event["data"], about, about["metadata"]]), dice)
    except (ValueError, KeyError, TypeError, RecursionError):
        return _changed_body(one, dice)  # it was changed before
    return one._replace(body=json.dumps(event).encode("utf-8", "replace"))


def _change(members: Any, dice: random.Random) -> None:
    name = dice.choice([*members, "account", "context", "metadata"])
    if dice.random() < 0.2:
        del members[name]
    else:
        members[name] = dice.choice((*VALUES, dice.choice(TYPES), ["pi_1"], 10**400))


def _reserialised(one: Webhook, dice: random.Random) -> Webhook:
    with contextlib.suppress(ValueError, RecursionError):
        text = json.dumps(json.loads(one.body), indent=dice.choice((0, 1, None)))
        return one._replace(body=text.encode())
    return one


def _signed_again(one: Webhook, dice: random.Random) -> Webhook:
    """Sign the changed body with a valid secret, as if Stripe had sent it."""
    return one._replace(signatures=_signed(one.body, dice).signatures)


def _elsewhere(one: Webhook, dice: random.Random) -> Webhook:
    if dice.random() < 0.5:
        return one._replace(media_type=dice.choice(MEDIA_TYPES))
    return one._replace(path=dice.choice(PATHS))


CHANGES = (
    _changed_header,
    _changed_header,
    _wrongly_signed,
    _changed_body,
    _changed_body,
    _changed_member,
    _changed_member,
    _reserialised,
    _elsewhere,
)


def a_webhook(dice: random.Random) -> tuple[Webhook, bool]:
    """Choose a webhook at random. Returns it, and whether it is as Stripe would send it.

    One of eight is.
    """
    one = _honest(dice)
    if dice.randrange(8) == 0:
        return one, True
    for change in dice.choices(CHANGES, k=dice.choice((1, 1, 1, 2, 3))):
        one = change(one, dice)
    return _signed_again(one, dice) if dice.randrange(3) == 0 else one, False
