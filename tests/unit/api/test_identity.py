"""Who may do what: hostile tokens, and every caller at every address about every payment."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from string import ascii_lowercase, ascii_uppercase, digits
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api import identity
from api.identity import AT_JWT, READ, WRITE, Authenticator, IssuerKeys
from api.request_errors import RequestError, RequestErrorCode
from domain.errors import ErrorCode, PaymentError
from tests.support.fake_resources import (
    BODY,
    SUCCEEDED,
    FakeResources,
    envelope,
    problem,
)
from tests.support.tokens import AUDIENCE, ISSUER, PRIVATE, RSA, a_token, claims, key_set

STRANGE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ALPHABET = f"{ascii_uppercase}{ascii_lowercase}{digits}-_"
PUBLIC_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def forged(header: dict[str, Any], signature: bytes = b"") -> str:
    return forged_raw(json.dumps(header).encode(), signature)


def forged_raw(header: bytes, signature: bytes = b"") -> str:
    parts = [header, json.dumps(claims()).encode(), signature]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_as(key: Any, algorithm: str, **headers: Any) -> str:
    return jwt.encode(claims(), key, algorithm, headers={"kid": "RS256", **headers})


def typed(kind: Any) -> str:
    """Another header than the library would sign, so it is signed by hand."""
    head = {"alg": "RS256", "kid": "RS256"} | ({} if kind is None else {"typ": kind})
    signed = forged(head).rpartition(".")[0]
    signature = jwt.get_algorithm_by_name("RS256").sign(signed.encode(), RSA)
    return f"{signed}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(resources: FakeResources) -> FakeResources:
    async def fetch() -> Any:
        return key_set()

    resources.authenticator = Authenticator(IssuerKeys(fetch), ISSUER, AUDIENCE)
    resources.outcome = SUCCEEDED
    resources.recorded = [SUCCEEDED]
    return resources


@pytest.fixture
def client(guarded: FakeResources, http: httpx.AsyncClient, app: Any) -> httpx.AsyncClient:
    app.state.resources = guarded.build()
    return http


@pytest.mark.parametrize("algorithm", PRIVATE)
async def test_a_token_of_the_issuer_is_accepted(client: httpx.AsyncClient, algorithm: str) -> None:
    answer = await client.post("/payments", content=BODY, headers=bearer(a_token(algorithm)))

    envelope(answer, 200)


@pytest.mark.parametrize("kind", [None, "JWT", "jwt", "at+jwt", "AT+JWT", "Application/at+jwt"])
async def test_types_of_tokens_that_are_known(client: httpx.AsyncClient, kind: str | None) -> None:
    envelope(await client.post("/payments", content=BODY, headers=bearer(typed(kind))), 200)


@pytest.mark.parametrize(
    ("kind", "is_accepted"),
    [("at+jwt", True), ("application/AT+JWT", True), ("JWT", False), (None, False)],
)
async def test_access_tokens_alone_may_be_insisted_on(kind: str | None, is_accepted: bool) -> None:
    strict = Authenticator(IssuerKeys(Issuer().fetch), ISSUER, AUDIENCE, AT_JWT)

    if is_accepted:
        assert (await strict.authenticate(typed(kind))).scopes
    else:
        with pytest.raises(RequestError):
            await strict.authenticate(typed(kind))


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        (f"{WRITE} {READ}", {WRITE, READ}),
        ([WRITE, READ], {WRITE, READ}),
        ([], set()),
        ("", set()),
        (None, set()),
    ],
)
async def test_scopes_are_a_text_or_a_list(
    guarded: FakeResources, scope: Any, scopes: set[str]
) -> None:
    assert (await guarded.authenticator.authenticate(a_token(scope=scope))).scopes == scopes


STRANGE_TYPES: list[Any] = ["logout+jwt", "id+jwt", "text/at+jwt", "application/jwt", " ", 7, []]
HOSTILE: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "no token": lambda: "x",
    "dots": lambda: "..",
    "unsigned": lambda: forged({"alg": "none", "kid": "RS256"}),
    "unsigned in capitals": lambda: forged({"alg": "NONE", "kid": "RS256"}),
    "no algorithm": lambda: forged({"kid": "RS256"}),
    "algorithm is no text": lambda: forged({"alg": ["RS256"], "kid": "RS256"}),
    "header is a list": lambda: forged_raw(b"[]"),
    "header is no JSON": lambda: forged_raw(b"\xff"),
    "deep header": lambda: forged_raw(b"[" * 10_000),
    "deep key id": lambda: forged_raw(b'{"alg":"RS256","kid":' + b"[" * 900 + b"]" * 900 + b"}"),
    "long number": lambda: forged_raw(b'{"alg":"RS256","kid":"RS256","x":' + b"9" * 9_000 + b"}"),
    "unsigned as signed": lambda: forged({"alg": "RS256", "kid": "RS256"}),
    "signature of another kind": lambda: forged({"alg": "EdDSA", "kid": "RS256"}, b"x" * 64),
    "public key as secret": lambda: forged({"alg": "HS256", "kid": "RS256"}, b"x" * 32),
    "strange key": lambda: signed_as(STRANGE, "RS256"),
    "strange key in the header": lambda: signed_as(STRANGE, "RS256", jwk=key_set()["keys"][0]),
    "unknown key": lambda: signed_as(RSA, "RS256", kid="other"),
    "key id is no text": lambda: forged({"alg": "RS256", "kid": ["RS256"]}, b"x"),
    "algorithm not allowed": lambda: signed_as(RSA, "PS256"),
    "stronger algorithm": lambda: signed_as(RSA, "RS512"),
    "critical extension": lambda: signed_as(RSA, "RS256", crit=["exp"]),
    "unknown critical extension": lambda: signed_as(RSA, "RS256", crit=["x"], x=1),
    "expired": lambda: a_token(exp=time.time() - 31),
    "not yet valid": lambda: a_token(nbf=time.time() + 90),
    "never expires": lambda: a_token(exp=None),
    "expires some day": lambda: a_token(exp="tomorrow"),
    "another issuer": lambda: a_token(iss="https://issuer.example.evil"),
    "no issuer": lambda: a_token(iss=None),
    "another audience": lambda: a_token(aud="refunds"),
    "no audience": lambda: a_token(aud=None),
    "no subject": lambda: a_token(sub=None),
    "subject is no text": lambda: a_token(sub=7),
    "empty subject": lambda: a_token(sub=""),
    "empty subject of an empty client": lambda: a_token(sub="", client_id=""),
    "scope is a number": lambda: a_token(scope=7),
    "scope is an object": lambda: a_token(scope={WRITE: True}),
    "scopes that are no texts": lambda: a_token(scope=[WRITE, 7]),
    "no key id": lambda: signed_as(RSA, "RS256", kid=""),
    **{f"type {kind!r}": partial(typed, kind) for kind in STRANGE_TYPES},
}


@pytest.mark.parametrize("token", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_token_is_refused(
    client: httpx.AsyncClient, guarded: FakeResources, token: Callable[[], str]
) -> None:
    sent = token()

    answer = await client.post("/payments", content=BODY, headers=bearer(sent))

    problem(answer, RequestErrorCode.UNAUTHENTICATED)
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert not sent or sent not in answer.text
    assert guarded.started == []


@pytest.mark.parametrize("algorithm", PRIVATE)
async def test_no_letter_of_a_token_may_differ(guarded: FakeResources, algorithm: str) -> None:
    token = a_token(algorithm)
    for place, letter in enumerate(token):
        changed = token[:place] + ALPHABET[ALPHABET.find(letter) ^ 32] + token[place + 1 :]
        with pytest.raises(RequestError) as refusal:
            await guarded.authenticator.authenticate(changed)
        assert refusal.value.code is RequestErrorCode.UNAUTHENTICATED


async def test_the_public_key_is_no_secret(client: httpx.AsyncClient) -> None:
    head = forged({"alg": "HS256", "kid": "RS256"}).rpartition(".")[0]
    signature = jwt.get_algorithm_by_name("HS256").sign(head.encode(), PUBLIC_PEM)
    token = f"{head}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    answer = await client.post("/payments", content=BODY, headers=bearer(token))

    problem(answer, RequestErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("given", [None, "Basic eDp5", "Bearer", "bearer ", "Token x"])
async def test_who_sends_no_token_is_nobody(client: httpx.AsyncClient, given: str | None) -> None:
    headers = {"authorization": given} if given else {}

    problem(
        await client.get(f"/payments/{SUCCEEDED.id}", headers=headers),
        RequestErrorCode.UNAUTHENTICATED,
    )


WITHOUT_ID = {"keys": [{**key, "kid": ""} for key in key_set()["keys"]]}


class Issuer:
    """An issuer that may be down, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_down = False
        self.keys: Any = key_set()

    async def fetch(self) -> Any:
        self.asked += 1
        if self.is_down:
            raise PaymentError(ErrorCode.SERVICE_UNAVAILABLE, "The issuer is not available.")
        return self.keys


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("api.identity.time.monotonic", lambda: now[0])
    return now


async def test_keys_are_asked_for_now_and_then(clock: list[float]) -> None:
    issuer = Issuer()
    keys = IssuerKeys(issuer.fetch)
    for _ in range(3):
        assert await keys.find("RS256")
        assert await keys.find("unknown") is None
    assert issuer.asked == 1

    clock[0] += identity.KEYS_PAUSE_SECONDS
    await keys.find("unknown")
    clock[0] += identity.MAX_KEYS_AGE_SECONDS
    await keys.find("RS256")

    assert issuer.asked == 3


@pytest.mark.parametrize(
    "answer", [None, [], "x", {}, {"keys": []}, {"keys": [{}]}, {"keys": 7}, WITHOUT_ID]
)
async def test_the_last_good_keys_count_while_the_issuer_is_down(
    clock: list[float], answer: Any
) -> None:
    issuer = Issuer()
    keys = IssuerKeys(issuer.fetch)
    await keys.find("RS256")
    issuer.is_down, issuer.keys = answer is None, answer
    clock[0] += identity.MAX_KEYS_AGE_SECONDS

    assert await keys.find("RS256")
    assert issuer.asked == 2


async def test_nobody_waits_for_the_keys_of_others() -> None:
    issuer, answered = Issuer(), asyncio.Event()
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
async def test_only_key_needs_no_id(
    others: list[Any], key_id: str | None, named: str, is_found: bool
) -> None:
    issuer = Issuer()
    only = {**RSA_KEY, "kid": key_id} if key_id else {**RSA_KEY, "kid": ""}
    issuer.keys = {"keys": [only, *others]}

    assert (await IssuerKeys(issuer.fetch).find(named) is not None) is is_found


async def test_keys_without_id_are_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    issuer = Issuer()
    issuer.keys = {"keys": [*WITHOUT_ID["keys"], RSA_KEY]}
    keys = IssuerKeys(issuer.fetch)

    assert await keys.find("RS256")
    assert "3 of the issuer's keys have no id and are not used" in caplog.text


async def test_without_any_keys_nobody_can_be_identified() -> None:
    issuer = Issuer()
    issuer.is_down = True

    with pytest.raises(PaymentError) as refusal:
        await IssuerKeys(issuer.fetch).find("RS256")

    assert refusal.value.code is ErrorCode.SERVICE_UNAVAILABLE
