"""Schemathesis sends the running service a few of the inputs of `make fuzz`."""

from pathlib import Path

import pytest

from tests.proofs.fuzz.service import fuzz
from tests.support.issuer import issuing
from tests.support.stacks import another_server
from tests.support.system import System


@pytest.mark.proof
async def test_the_service_fits_its_contract(system: System, tmp_path: Path) -> None:
    with issuing() as issuer:
        async with another_server(system.stack, auth_issuer=issuer) as api:
            ordering = system.url("ordering")
            found = await fuzz(api, ordering, issuer, examples=10, seed=1, work=tmp_path)

    assert found.is_clean, found.report
    assert found.inputs > 300
