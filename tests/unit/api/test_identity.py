"""Which bearer tokens are accepted, and with which scopes."""

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

from api.identity import AT_JWT, READ, WRITE, Authenticator, IssuerKeys
from api.request_errors import RequestError, RequestErrorCode
from tests.support.fake_resources import BODY, SUCCEEDED, FakeResources, envelope, problem
from tests.support.issuer import CountingIssuer
from tests.support.tokens import (
    AUDIENCE,
    ISSUER,
    PRIVATE,
    RSA,
    a_token,
    an_authenticator,
    claims,
    key_set,
)

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
    """A token with this `typ`. It is signed by hand, because the library refuses some values."""
    head = {"alg": "RS256", "kid": "RS256"} | ({} if kind is None else {"typ": kind})
    signed = forged(head).rpartition(".")[0]
    signature = jwt.get_algorithm_by_name("RS256").sign(signed.encode(), RSA)
    return f"{signed}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(resources: FakeResources) -> FakeResources:
    resources.authenticator = an_authenticator()
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
async def test_every_known_type_of_token_is_accepted(
    client: httpx.AsyncClient, kind: str | None
) -> None:
    envelope(await client.post("/payments", content=BODY, headers=bearer(typed(kind))), 200)


@pytest.mark.parametrize(
    ("kind", "is_accepted"),
    [("at+jwt", True), ("application/AT+JWT", True), ("JWT", False), (None, False)],
)
async def test_a_setting_accepts_access_tokens_only(kind: str | None, is_accepted: bool) -> None:
    strict = Authenticator(IssuerKeys(CountingIssuer().fetch), ISSUER, AUDIENCE, AT_JWT)

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


async def test_a_token_signed_with_the_public_key_is_refused(client: httpx.AsyncClient) -> None:
    head = forged({"alg": "HS256", "kid": "RS256"}).rpartition(".")[0]
    signature = jwt.get_algorithm_by_name("HS256").sign(head.encode(), PUBLIC_PEM)
    token = f"{head}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    answer = await client.post("/payments", content=BODY, headers=bearer(token))

    problem(answer, RequestErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("given", [None, "Basic eDp5", "Bearer", "bearer ", "Token x"])
async def test_a_request_without_a_token_is_unauthenticated(
    client: httpx.AsyncClient, given: str | None
) -> None:
    headers = {"authorization": given} if given else {}

    problem(
        await client.get(f"/payments/{SUCCEEDED.id}", headers=headers),
        RequestErrorCode.UNAUTHENTICATED,
    )
