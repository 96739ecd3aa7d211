"""What is read of an event of Stripe, and what is not an event."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from api.webhooks.stripe_events import (
    MEANS_MONEY,
    OBJECTS,
    Event,
    Subject,
    UnreadableEventError,
    read_event,
)
from tests.support.builders import a_payment
from tests.support.stripe_events import an_event, an_object, metadata_of

NAME = "payment_intent.succeeded"
METADATA = metadata_of(a_payment())
INTENT = an_object("payment_intent", METADATA)


@pytest.mark.parametrize(("name", "kind"), OBJECTS.items())
def test_an_event_names_its_object_and_nothing_of_its_state(name: str, kind: str) -> None:
    event = read_event(an_event(name, an_object(kind, METADATA)))

    assert event.model_dump().keys() == {"id", "type", "livemode", "account", "subject"}
    assert event.subject is not None
    assert event.subject.model_dump().keys() == {"id", "object", "payment_intent", "metadata"}
    assert (event.kind, event.subject.attempt) == (kind, "pi_1")
    assert event.subject.metadata == METADATA


@pytest.mark.parametrize(
    "about", [None, {}, [], {"object": "balance"}, {"id": 1}, {"id": "pi_1", "object": "customer"}]
)
@pytest.mark.parametrize(
    "name", ["balance.available", "charge.succeeded", "v2.x", "payment_intent"]
)
def test_of_other_types_the_object_is_not_read(name: str, about: Any) -> None:
    event = read_event(an_event(name, about))

    assert (event.kind, event.subject, event.may_mean_money) == (None, None, False)


def test_what_means_money_leads_to_something() -> None:
    assert OBJECTS.keys() > MEANS_MONEY


@pytest.mark.parametrize("metadata", [None, {}])
def test_an_object_may_have_no_metadata(metadata: dict[str, str] | None) -> None:
    event = read_event(an_event(NAME, INTENT | {"metadata": metadata}))

    assert event.subject == Subject(id="pi_1", object="payment_intent", metadata=metadata)


def test_an_event_of_a_connected_account_says_so() -> None:
    assert read_event(an_event(NAME, INTENT, account="acct_1")).account == "acct_1"
    assert read_event(an_event(NAME, INTENT, account=None)).account is None


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    event = json.loads(an_event(NAME, INTENT))
    change(event)
    return json.dumps(event).encode()


NOT_EVENTS: dict[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "list of events": b"[" + an_event(NAME, INTENT) + b"]",
    "text": b'"evt_1"',
    "number": b"1" * 5000,
    "half": an_event(NAME, INTENT)[:-10],
    "two": an_event(NAME, INTENT) * 2,
    "latin-1": an_event(NAME, INTENT).replace(b"evt_1", b"evt_\xe9"),
    "surrogate": an_event(NAME, INTENT).replace(b"evt_1", b"evt_\\ud800"),
    "deep": b'{"data":' + b"[" * 100_000,
    "utf-16": an_event(NAME, INTENT).decode().encode("utf-16"),
    "no id": changed(lambda each: each.pop("id")),
    "no type": changed(lambda each: each.pop("type")),
    "no mode": changed(lambda each: each.pop("livemode")),
    "no data": changed(lambda each: each.pop("data")),
    "no object": changed(lambda each: each["data"].pop("object")),
    "a list of objects": changed(lambda each: each["data"].update(object=[INTENT])),
    **{
        f"{name} {value!r}": an_event(NAME, INTENT, **{name: value})
        for name, value in (
            ("id", 1),
            ("id", None),
            ("id", ""),
            ("id", "evt 1\n"),
            ("id", "x" * 256),
            ("type", None),
            ("type", ""),
            ("type", "x" * 256),
            ("livemode", 0),
            ("livemode", "false"),
            ("livemode", None),
            ("account", 1),
            ("account", True),
            ("data", None),
            ("data", "pi_1"),
        )
    },
    **{
        f"object's {name} {value!r}": an_event(NAME, INTENT | {name: value})
        for name, value in (
            ("id", None),
            ("id", 1),
            ("id", "pi/../1"),
            ("id", "pi_1\n"),
            ("id", ""),
            ("object", "charge"),
            ("object", None),
            ("payment_intent", {"id": "pi_1"}),
            ("payment_intent", "pi 1"),
            ("metadata", []),
            ("metadata", {"key": 1}),
            ("metadata", {"key": None}),
            ("metadata", "key"),
        )
    },
}


@pytest.mark.parametrize("body", NOT_EVENTS.values(), ids=NOT_EVENTS)
def test_what_is_no_event_is_refused_and_not_repeated(body: bytes) -> None:
    with pytest.raises(UnreadableEventError) as refused:
        read_event(body)
    assert refused.value.__cause__ is None
    assert "pi_1" not in str(refused.value)


def test_a_model_repeats_nothing_in_its_errors() -> None:
    with pytest.raises(ValueError, match="livemode") as refused:
        Event.model_validate({"id": "evt_canary", "type": "x", "livemode": "canary"})
    assert "canary" not in str(refused.value)
