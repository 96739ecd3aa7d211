"""The API is built with the settings for webhooks and for new payments."""

from typing import Any, cast

import pytest
from pydantic import SecretStr

from api.checkout import Checkout
from api.main import _checkout, _webhooks
from api.webhooks.stripe import StripeWebhook
from bootstrap.settings import Settings
from domain.gateways import GatewayName
from tests.support.stripe_events import SECRET


def webhooks(**settings: Any) -> dict[str, Any]:
    nothing: Any = None
    return dict(_webhooks(Settings.model_construct(**settings), nothing, nothing, nothing))


def test_without_secrets_there_are_no_webhooks() -> None:
    assert webhooks() == {}


@pytest.mark.parametrize(
    ("environment", "livemode"), [("production", True), ("development", False)]
)
@pytest.mark.parametrize("gateway", ["stripe", "simulator"])
def test_the_environment_says_whether_webhooks_move_real_money(
    environment: str, gateway: str, *, livemode: bool
) -> None:
    """Webhooks of Stripe are accepted whatever the gateway of new payments is: older payments keep
    theirs."""
    secrets = (SecretStr(SECRET),)
    settings = {"gateway": gateway, "stripe_webhook_secrets": secrets}

    found = webhooks(environment=environment, **settings)

    webhook = cast("StripeWebhook", found[GatewayName.STRIPE])
    assert (webhook.livemode, webhook.secrets) == (livemode, secrets)
    assert SECRET not in repr(webhook)


def test_new_payments_are_made_as_the_settings_say() -> None:
    back = "https://shop.example/{paymentId}"
    hosted: Any = {"gateway": "stripe", "checkout": "hosted", "payment_return_url": back}

    assert _checkout(Settings.model_construct()) == Checkout()
    assert _checkout(Settings.model_construct(**hosted, customer_action_seconds=90)) == Checkout(
        GatewayName.STRIPE, back, wait_seconds=90, hosted=True
    )
