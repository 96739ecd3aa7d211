"""When the issuer's keys are requested, and which of them are used."""

import asyncio
from typing import Any

import pytest

from api import identity
from api.identity import IssuerKeys
from domain.errors import ErrorCode, PaymentError
from tests.support.issuer import CountingIssuer
from tests.support.tokens import key_set

WITHOUT_ID = {"keys": [{**key, "kid": ""} for key in key_set()["keys"]]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("api.identity.time.monotonic", lambda: now[0])
    return now


async def test_keys_are_requested_after_a_pause_or_when_they_are_old(clock: list[float]) -> None:
    issuer = CountingIssuer()
    keys = IssuerKeys(issuer.fetch)
    for _ in range(3):
        assert await keys.find("RS256")
        assert await keys.find("unknown") is None
    assert issuer.requests == 1

    clock[0] += identity.KEYS_PAUSE_SECONDS
    await keys.find("unknown")
    clock[0] += identity.MAX_KEYS_AGE_SECONDS
    await keys.find("RS256")

    assert issuer.requests == 3


@pytest.mark.parametrize(
    "answer", [None, [], "x", {}, {"keys": []}, {"keys": [{}]}, {"keys": 7}, WITHOUT_ID]
)
async def test_the_last_good_keys_count_while_the_issuer_is_down(
    clock: list[float], answer: Any
) -> None:
    issuer = CountingIssuer()
    keys = IssuerKeys(issuer.fetch)
    await keys.find("RS256")
    issuer.is_down, issuer.keys = answer is None, answer
    clock[0] += identity.MAX_KEYS_AGE_SECONDS

    assert await keys.find("RS256")
    assert issuer.requests == 2


async def test_nobody_waits_for_the_keys_of_others() -> None:
    issuer, answered = CountingIssuer(), asyncio.Event()
    keys = IssuerKeys(issuer.fetch)
    await keys.find("RS256")

    async def answer_late() -> Any:
        await answered.wait()
        return issuer.keys

    keys._fetch, keys._refreshed_at = answer_late, keys._refreshed_at - identity.KEYS_PAUSE_SECONDS
    waiting = asyncio.create_task(keys.find("unknown"))
    await asyncio.sleep(0)

    assert await asyncio.wait_for(keys.find("RS256"), timeout=1)
    assert not waiting.done()
    answered.set()
    assert await waiting is None


RSA_KEY = key_set()["keys"][0]
ENCRYPTING = {**RSA_KEY, "use": "enc", "kid": "e"}
SECRET = {"kty": "oct", "alg": "HS256", "k": "c2VjcmV0", "kid": "s"}


@pytest.mark.parametrize("others", [[], [ENCRYPTING], [SECRET], [{"kty": "new"}]])
@pytest.mark.parametrize(
    ("key_id", "named", "is_found"),
    [(None, "", True), (None, "a", True), ("a", "", True), ("a", "a", True), ("a", "b", False)],
)
async def test_the_only_key_needs_no_id(
    others: list[Any], key_id: str | None, named: str, is_found: bool
) -> None:
    issuer = CountingIssuer()
    only = {**RSA_KEY, "kid": key_id} if key_id else {**RSA_KEY, "kid": ""}
    issuer.keys = {"keys": [only, *others]}

    assert (await IssuerKeys(issuer.fetch).find(named) is not None) is is_found


async def test_keys_without_an_id_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    issuer = CountingIssuer()
    issuer.keys = {"keys": [*WITHOUT_ID["keys"], RSA_KEY]}
    keys = IssuerKeys(issuer.fetch)

    assert await keys.find("RS256")
    assert "3 of the issuer's keys have no id and are not used" in caplog.text


async def test_without_any_keys_nobody_can_be_identified() -> None:
    issuer = CountingIssuer()
    issuer.is_down = True

    with pytest.raises(PaymentError) as refusal:
        await IssuerKeys(issuer.fetch).find("RS256")

    assert refusal.value.code is ErrorCode.SERVICE_UNAVAILABLE
