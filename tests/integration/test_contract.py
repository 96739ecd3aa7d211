"""Schemathesis on the running service: a few of the inputs of `make fuzz`."""

from pathlib import Path

import pytest

from tests.proofs.fuzz.service import fuzz
from tests.support.issuer import issuing
from tests.support.shop import Shop
from tests.support.stacks import another_server


@pytest.mark.proof
async def test_service_is_what_its_contract_says(shop: Shop, tmp_path: Path) -> None:
    with issuing() as issuer:
        async with another_server(shop.stack, auth_issuer=issuer) as api:
            ordering = shop.url("ordering")
            found = await fuzz(api, ordering, issuer, examples=10, seed=1, work=tmp_path)

    assert found.is_clean, found.report
    assert found.inputs > 300
