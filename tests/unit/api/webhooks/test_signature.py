"""Which signatures count, compared with Stripe's own client."""

import time
from collections.abc import Sequence

import pytest
import stripe
from pydantic import SecretStr

from api.webhooks.signature import (
    MAX_HEADER_BYTES,
    NO_HEADER,
    NOT_SIGNED,
    OTHER_TIME,
    TOLERANCE_SECONDS,
    objection,
)
from tests.support.stripe_events import NOW, SECRET, signature

BODY = '{"id": "evt_1", "note": "é🎫"}'.encode()
OLD_SECRET = "whsec_of_yesterday"
GOOD = signature(BODY)
V1 = GOOD.partition("v1=")[2]


def wrong(
    headers: str | Sequence[str],
    body: bytes = BODY,
    secrets: Sequence[str] = (SECRET,),
    now: float = NOW,
) -> str | None:
    sent = [headers] if isinstance(headers, str) else headers
    return objection(sent, body, [SecretStr(each) for each in secrets], now)


def counts(
    headers: str | Sequence[str],
    body: bytes = BODY,
    secrets: Sequence[str] = (SECRET,),
    now: float = NOW,
) -> bool:
    return wrong(headers, body, secrets, now) is None


def test_a_right_signature_counts() -> None:
    assert counts(GOOD)


@pytest.mark.parametrize(
    "header",
    [
        f"t={NOW},v1={'0' * 64},v1={V1}",
        f"t={NOW},v1={V1},v1={'0' * 64}",
        f"v1={V1},t={NOW}",
        f"t={NOW},v1={V1},v0=anything,v2={'0' * 64}",
        f"t={NOW},v1=,v1={V1}",
    ],
)
def test_one_right_signature_among_others_is_enough(header: str) -> None:
    assert counts(header)


@pytest.mark.parametrize("secrets", [(OLD_SECRET, SECRET), (SECRET, OLD_SECRET)])
def test_each_secret_counts_during_a_replacement(secrets: Sequence[str]) -> None:
    both = f"{signature(BODY, OLD_SECRET)},{GOOD.partition(',')[2]}"

    assert counts(GOOD, secrets=secrets)
    assert counts(signature(BODY, OLD_SECRET), secrets=secrets)
    assert counts(both, secrets=[SECRET])
    assert counts(both, secrets=[OLD_SECRET])
    assert not counts(signature(BODY, OLD_SECRET))


@pytest.mark.parametrize("seconds", [0, TOLERANCE_SECONDS, -TOLERANCE_SECONDS])
def test_a_recent_time_counts(seconds: int) -> None:
    assert counts(signature(BODY, at=NOW + seconds))


@pytest.mark.parametrize("seconds", [TOLERANCE_SECONDS + 1, 10**9])
@pytest.mark.parametrize("direction", [1, -1])
def test_another_time_does_not(seconds: int, direction: int) -> None:
    assert wrong(signature(BODY, at=NOW + direction * seconds)) == OTHER_TIME


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [GOOD, GOOD],
        "",
        GOOD + ",t=" + str(NOW),
        f"t={NOW + 1},{GOOD}",
        GOOD.replace("v1", "v0"),
        GOOD.replace("v1=", "V1="),
        GOOD.replace("v1=", "v1 ="),
        GOOD[:-1],
        GOOD + "0",
        GOOD.replace(V1, V1.upper()),
        GOOD.replace(f"t={NOW},", ""),
        GOOD.replace(f"t={NOW}", "t="),
        f"t={NOW}",
        f"t={NOW},v1=",
        f"{GOOD},v1",
        f"{GOOD},",
        f"t={NOW},v1=é{V1}",
        GOOD + "," + "v1=" + "0" * MAX_HEADER_BYTES,
        *(signature(BODY, at=each) for each in (f"0{NOW}0", f"{NOW}.0", f" {NOW}", f"+{NOW}")),
        *(signature(BODY, at=each) for each in ("1" * 5000, "\u0661", "", "NaN", f"-{NOW}")),
    ],
)
def test_a_header_of_another_form_does_not_count(headers: str | Sequence[str]) -> None:
    assert wrong(headers) is not None


@pytest.mark.parametrize(
    "body", [BODY[:-1], BODY + b" ", BODY.replace(b"evt_1", b"evt_2"), b"", b"\xff" + BODY]
)
def test_another_body_does_not_count(body: bytes) -> None:
    assert wrong(GOOD, body) == NOT_SIGNED


def test_bytes_are_signed_and_not_text() -> None:
    assert counts(signature(b"\xff\xfe\x00"), b"\xff\xfe\x00")


@pytest.mark.parametrize("headers", [[], [GOOD, GOOD], "", f"v1={V1}"])
def test_the_reason_of_a_missing_or_invalid_header_is_its_own(headers: str | Sequence[str]) -> None:
    assert wrong(headers) == NO_HEADER


@pytest.mark.parametrize("secrets", [(), ("",), ("", OLD_SECRET)])
def test_an_empty_secret_signs_nothing(secrets: Sequence[str]) -> None:
    assert not counts(signature(BODY, ""), secrets=secrets)


OFFICIAL = {
    "right": (GOOD, BODY),
    "of another body": (GOOD, BODY + b" "),
    "of another secret": (signature(BODY, OLD_SECRET), BODY),
    "too old": (signature(BODY, at=NOW - 301), BODY),
    "just not too old": (signature(BODY, at=NOW - 300), BODY),
    "of two secrets": (f"{signature(BODY, OLD_SECRET)},v1={V1}", BODY),
    "of another version": (GOOD.replace("v1", "v0"), BODY),
    "without a time": (GOOD.partition(",")[2], BODY),
    "with a signature that is none": (f"{GOOD},v1", BODY),
    "nothing": ("", BODY),
}


@pytest.mark.parametrize(("header", "body"), OFFICIAL.values(), ids=OFFICIAL)
def test_stripes_own_client_agrees(
    monkeypatch: pytest.MonkeyPatch, header: str, body: bytes
) -> None:
    monkeypatch.setattr(time, "time", lambda: float(NOW))

    try:
        is_right = stripe.WebhookSignature.verify_header(body, header, SECRET, 300)
    except stripe.SignatureVerificationError:
        is_right = False
    assert counts(header, body) is is_right


def test_what_stripes_own_client_signs_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    header = stripe.WebhookSignature.generate_signature_header(BODY.decode(), SECRET, NOW)
    monkeypatch.setattr(time, "time", lambda: float(NOW))

    assert counts(header)
    assert stripe.Webhook.construct_event(BODY, header, SECRET).id == "evt_1"
    assert header == GOOD


def test_stripes_own_client_accepts_a_time_in_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is why we have code of our own: such a webhook could be kept and sent again later."""
    header = signature(BODY, at=NOW + 10**6)
    monkeypatch.setattr(time, "time", lambda: float(NOW))

    assert stripe.WebhookSignature.verify_header(BODY, header, SECRET, 300)
    assert not counts(header)
