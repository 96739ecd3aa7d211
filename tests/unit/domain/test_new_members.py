"""Members that the simulator does not use are not written. A token is written in one place only."""

import json
import traceback
from typing import Any

import pytest
from pydantic import ValidationError

from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction
from domain.payment import Payment
from tests.unit.domain.test_payloads import CONVERTER, EACH, INSTRUCTION, decode

NEW = {"gateway", "token", "reference", "gateway_reference", "charge_reference"}


@EACH
def test_what_the_simulator_does_not_use_is_not_written(value: Any, payload: Any) -> None:
    [encoded] = CONVERTER.to_payloads([value])

    assert NEW.isdisjoint(json.loads(encoded.data))


def test_the_token_is_written_in_the_instruction_only() -> None:
    asked = INSTRUCTION.model_copy(update={"gateway": GatewayName.STRIPE, "token": "pm_secret"})
    request = asked.charge_request.model_copy(update={"token": asked.token, "reference": "pi_1"})

    [start, charge] = CONVERTER.to_payloads([asked, request])

    assert decode(json.loads(start.data), PaymentInstruction) == asked
    assert json.loads(charge.data)["reference"] == "pi_1"
    for text in (charge.data.decode(), repr(request), repr(asked), repr(Payment.pending(asked))):
        assert "pm_secret" not in text


def test_an_instruction_that_cannot_be_read_does_not_show_its_token() -> None:
    """Another version may need other members. Temporal keeps the error in the history."""
    asked = INSTRUCTION.model_copy(update={"gateway": GatewayName.STRIPE, "token": "pm_secret"})
    members = asked.model_dump(mode="json", exclude={"amount"})

    with pytest.raises(ValidationError) as error:
        decode(members, PaymentInstruction)

    assert "pm_secret" not in "".join(traceback.format_exception(error.value))
