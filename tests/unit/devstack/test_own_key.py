"""`make up` with an own API key of Stripe: the services use that account, and not the double."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from devstack import __main__ as devstack
from devstack.stack.site import DOUBLE_KEY
from devstack.stack.stack import Stack

Started = list[tuple[Stack, Mapping[str, str]]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    """The stacks that `up` has started, with the settings of their processes. None really runs."""
    started: Started = []

    async def up(stack: Stack, *, environment: Mapping[str, str], **_: Any) -> None:
        started.append((stack, environment))

    monkeypatch.setattr(Stack, "up", up)
    monkeypatch.setattr(devstack, "DIRECTORY", tmp_path / ".devstack")
    for name in (*devstack.PASSED_ON, "STRIPE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return started


def run(command: str, **environment: str) -> tuple[int, str]:
    result = CliRunner(env=environment).invoke(devstack.app, [command])
    return result.exit_code, result.output


def has_double(stack: Stack) -> bool:
    return "stripe" in {each.name for each in stack.status()}


def test_with_an_own_key_the_services_use_it(started: Started) -> None:
    code, _ = run("up", GATEWAY="stripe", STRIPE_API_KEY="sk_test_own")

    [(stack, settings)] = started
    assert (code, has_double(stack)) == (0, False)
    assert settings["GATEWAY"] == "stripe"
    assert settings["PAYMENT_RETURN_URL"].endswith("/payment?payment={paymentId}")
    assert not [each for each in stack.environment() if each.startswith("STRIPE_")]


@pytest.mark.parametrize("key", ["", DOUBLE_KEY])
def test_without_an_own_key_payments_are_made_at_the_double(started: Started, key: str) -> None:
    """A shell that has sourced `.devstack/env` has the key of the double."""
    run("up", GATEWAY="stripe", STRIPE_API_KEY=key)

    [(stack, _)] = started
    assert has_double(stack)
    assert stack.environment()["STRIPE_API_KEY"] == DOUBLE_KEY


def test_a_key_of_another_gateway_is_not_used(started: Started) -> None:
    run("up", STRIPE_API_KEY="sk_test_own")

    [(stack, settings)] = started
    assert (has_double(stack), "PAYMENT_RETURN_URL" in settings) == (False, False)


def test_payments_of_the_double_do_not_get_another_key(started: Started) -> None:
    (devstack.DIRECTORY / "data/stripe").mkdir(parents=True)

    code, output = run("up", GATEWAY="stripe", STRIPE_API_KEY="sk_test_own")

    assert (code, started) == (1, [])
    assert "make reset" in output


def test_the_demo_never_pays_with_an_own_key(started: Started) -> None:
    code, output = run("demo", GATEWAY="stripe", STRIPE_API_KEY="sk_test_own")

    assert (code, started) == (1, [])
    assert "unset STRIPE_API_KEY" in output
