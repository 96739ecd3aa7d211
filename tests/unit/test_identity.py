"""Who may do what: hostile tokens, and every caller at every address about every payment."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from itertools import combinations, product
from typing import Any
from uuid import UUID

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fastapi.routing import APIRoute

from api import identity
from api.identity import READ, REFUND, WRITE, Identity, IssuerKeys
from api.main import ROUTERS
from domain.errors import ErrorCode, PaymentError
from tests.tokens import AUDIENCE, ISSUER, PRIVATE, RSA, a_token, claims, key_set
from tests.unit.backstage import (
    BODY,
    CUSTOMER,
    ORDER,
    STRANGER,
    SUCCEEDED,
    Backstage,
    envelope,
    problem,
)

STRANGE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def forged(header: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims()).encode(), signature]
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_as(key: Any, algorithm: str, **headers: Any) -> str:
    return jwt.encode(claims(), key, algorithm, headers={"kid": "RS256", **headers})


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def guarded(backstage: Backstage) -> Backstage:
    async def fetch() -> Any:
        return key_set()

    backstage.identity = Identity(IssuerKeys(fetch), ISSUER, AUDIENCE)
    backstage.outcome = SUCCEEDED
    backstage.recorded = [SUCCEEDED]
    return backstage


@pytest.fixture
def client(guarded: Backstage, http: httpx.AsyncClient, app: Any) -> httpx.AsyncClient:
    app.state.parts = guarded.parts()
    return http


@pytest.mark.parametrize("algorithm", PRIVATE)
async def test_a_token_of_the_issuer_is_accepted(client: httpx.AsyncClient, algorithm: str) -> None:
    answer = await client.post("/payments", content=BODY, headers=bearer(a_token(algorithm)))

    envelope(answer, 200)


HOSTILE: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "no token": lambda: "x",
    "dots": lambda: "..",
    "unsigned": lambda: forged({"alg": "none", "kid": "RS256"}),
    "unsigned in capitals": lambda: forged({"alg": "NONE", "kid": "RS256"}),
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
    "not yet valid": lambda: a_token(nbf=time.time() + 31),
    "never expires": lambda: a_token(exp=None),
    "expires some day": lambda: a_token(exp="tomorrow"),
    "another issuer": lambda: a_token(iss="https://issuer.example.evil"),
    "no issuer": lambda: a_token(iss=None),
    "another audience": lambda: a_token(aud="refunds"),
    "no audience": lambda: a_token(aud=None),
    "no subject": lambda: a_token(sub=None),
    "subject is no text": lambda: a_token(sub=7),
}


@pytest.mark.parametrize("token", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_token_is_refused(
    client: httpx.AsyncClient, guarded: Backstage, token: Callable[[], str]
) -> None:
    sent = token()

    answer = await client.post("/payments", content=BODY, headers=bearer(sent))

    problem(answer, ErrorCode.UNAUTHENTICATED)
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert not sent or sent not in answer.text
    assert guarded.started == []


async def test_the_public_key_is_no_secret(client: httpx.AsyncClient) -> None:
    head = forged({"alg": "HS256", "kid": "RS256"}).rpartition(".")[0]
    signature = jwt.get_algorithm_by_name("HS256").sign(head.encode(), PUBLIC_PEM)
    token = f"{head}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    answer = await client.post("/payments", content=BODY, headers=bearer(token))

    problem(answer, ErrorCode.UNAUTHENTICATED)


@pytest.mark.parametrize("given", [None, "Basic eDp5", "Bearer", "bearer ", "Token x"])
async def test_who_sends_no_token_is_nobody(client: httpx.AsyncClient, given: str | None) -> None:
    headers = {"authorization": given} if given else {}

    problem(
        await client.get(f"/payments/{SUCCEEDED.id}", headers=headers), ErrorCode.UNAUTHENTICATED
    )


CALLERS = {"customer": (CUSTOMER, False), "stranger": (STRANGER, False), "service": ("shop", True)}
SCOPES = [" ".join(some) for n in range(4) for some in combinations((READ, WRITE, REFUND), n)]
PAYMENT = f"/payments/{SUCCEEDED.id}"
ADDRESSES = {
    ("POST", "/payments"): (WRITE, 200, ErrorCode.CUSTOMER_MISMATCH),
    ("GET", PAYMENT): (READ, 200, ErrorCode.PAYMENT_NOT_FOUND),
    ("POST", f"{PAYMENT}/cancel"): (WRITE, 409, ErrorCode.PAYMENT_NOT_FOUND),
    ("GET", f"{PAYMENT}/timeline"): (READ, 200, ErrorCode.PAYMENT_NOT_FOUND),
    ("POST", f"{PAYMENT}/refunds"): (REFUND, 202, ErrorCode.PAYMENT_NOT_FOUND),
    ("GET", f"{PAYMENT}/refunds"): (READ, 200, ErrorCode.PAYMENT_NOT_FOUND),
    ("GET", f"{PAYMENT}/refunds/{ORDER}"): (READ, 404, ErrorCode.PAYMENT_NOT_FOUND),
}
"""The scope that each needs, what is answered to those who may, and what to strangers."""


def test_no_address_is_forgotten() -> None:
    routes = [each for router in ROUTERS for each in router.routes if isinstance(each, APIRoute)]
    left = [each for each in routes if not any(map(partial(_leads_to, each), ADDRESSES))]

    assert [(each.path, each.methods) for each in left] == [
        ("/payments", {"GET"}),
        ("/health", {"GET"}),
        ("/ready", {"GET"}),
    ]


def _leads_to(route: APIRoute, address: tuple[str, str]) -> bool:
    method, path = address
    return method in (route.methods or ()) and bool(route.path_regex.match(path))


@pytest.mark.parametrize(("caller", "scope", "address"), [*product(CALLERS, SCOPES, ADDRESSES)])
async def test_everybody_may_do_what_is_theirs_and_no_more(
    client: httpx.AsyncClient, caller: str, scope: str, address: tuple[str, str]
) -> None:
    subject, is_service = CALLERS[caller]
    token = a_token(sub=subject, scope=scope, client_id=subject if is_service else "shop-front")
    content = BODY if address == ("POST", "/payments") else None

    headers = bearer(token) | {"idempotency-key": "key"}
    answer = await client.request(*address, content=content, headers=headers)

    needed, status, told_to_strangers = ADDRESSES[address]
    if needed not in scope.split():
        problem(answer, ErrorCode.INSUFFICIENT_SCOPE)
    elif caller == "stranger":
        problem(answer, told_to_strangers)
    else:
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("subject", "client_id", "owner"),
    [
        (CUSTOMER, "shop-front", UUID(CUSTOMER)),
        ("no-customer", "shop-front", UUID(int=0)),
        ("shop", "shop", None),
    ],
)
async def test_customers_list_their_own_payments(
    client: httpx.AsyncClient,
    guarded: Backstage,
    subject: str,
    client_id: str,
    owner: UUID | None,
) -> None:
    token = a_token(sub=subject, client_id=client_id)

    await client.get("/payments", headers=bearer(token))

    assert [search.owner_id for search in guarded.searches] == [owner]


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

    clock[0] += identity.PAUSE_SECONDS
    await keys.find("unknown")
    clock[0] += identity.FRESH_SECONDS
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
    clock[0] += identity.FRESH_SECONDS

    assert await keys.find("RS256")
    assert issuer.asked == 2


async def test_nobody_waits_for_the_keys_of_others() -> None:
    issuer, answered = Issuer(), asyncio.Event()
    keys = IssuerKeys(issuer.fetch)
    await keys.find("RS256")

    async def answer_late() -> Any:
        await answered.wait()
        return issuer.keys

    keys._fetch, keys._asked_at = answer_late, keys._asked_at - identity.PAUSE_SECONDS
    waiting = asyncio.create_task(keys.find("unknown"))
    await asyncio.sleep(0)

    assert await asyncio.wait_for(keys.find("RS256"), timeout=1)
    assert not waiting.done()
    answered.set()
    assert await waiting is None


async def test_without_any_keys_nobody_can_be_identified() -> None:
    issuer = Issuer()
    issuer.is_down = True

    with pytest.raises(PaymentError) as refusal:
        await IssuerKeys(issuer.fetch).find("RS256")

    assert refusal.value.code is ErrorCode.SERVICE_UNAVAILABLE
