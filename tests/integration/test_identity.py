"""Bearer tokens of an issuer whose keys are requested over HTTP."""

from collections.abc import Iterator

import pytest

from domain import exact_json
from tests.support.issuer import issuing
from tests.support.replica import another_api
from tests.support.system import System
from tests.support.tokens import a_token


@pytest.fixture
def issuer() -> Iterator[str]:
    with issuing() as address:
        yield address


async def test_customers_pay_for_themselves_only(system: System, issuer: str) -> None:
    order = await system.an_order()
    content = exact_json.dumps(order.request())

    async with another_api(system, auth_issuer=issuer) as guarded:
        nobody = await guarded.post(content)
        stranger = await guarded.post(content, authorization=bearer(issuer, "somebody"))
        paid = await guarded.post(content, authorization=bearer(issuer, order.customer_id))

    assert (nobody.status, nobody.body["code"]) == (401, "UNAUTHENTICATED")
    assert (stranger.status, stranger.body["code"]) == (401, "CUSTOMER_MISMATCH")
    assert paid.status == 200


async def test_the_keys_of_the_issuer_may_have_another_address(system: System, issuer: str) -> None:
    headers = {"authorization": bearer(issuer, "shop", client_id="shop")}

    async with another_api(system, auth_issuer=issuer, auth_keys_url=f"{issuer}/keys?set=1") as api:
        listed = await api.send("GET", "/payments", headers=headers)

    assert listed.status == 200


def bearer(issuer: str, subject: str, **claims: str) -> str:
    return f"Bearer {a_token(iss=issuer, sub=subject, **claims)}"
