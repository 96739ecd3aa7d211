"""The settings of payments at Stripe that wait for their customer, and of its webhooks."""

from typing import Any

import pytest

from bootstrap.settings import read_settings
from tests.support.settings import refusal

RETURN_URLS = (
    "https://shop.example/paid?payment={paymentId}",
    "https://shop.example:8443/paid/{paymentId}#done",
    "http://localhost:5010/orders/{paymentId}",
    "http://[::1]:5010/{paymentId}",
    "https://shop.example/caf%C3%A9/{paymentId}?a=b&c=(d)",
)
NO_SECRETS = (
    *("", "hunter2", "whsec_", "whsec_hunter2", "whsec_hunter2hunter2,", ",whsec_hunter2hunter2"),
    *("whsec_hunter2hunter2,hunter2", "whsec_hunter2 hunter2", "sk_test_hunter2hunter2"),
    ",".join(f"whsec_hunter2hunter2{number}" for number in range(4)),
)
NO_RETURN_URLS = (
    *("", "hunter2", "https://", "https://shop.example/paid", "https://{paymentId}.example/"),
    *("http://shop.example/{paymentId}", "ftp://localhost/{paymentId}", "https:///{paymentId}"),
    *("https://shop.example/{paymentId}/{paymentId}", "https://shop.example/{paymentid}"),
    *("https://u:hunter2@shop.example/{paymentId}", "https://shop.example/#{paymentId}"),
    *("https://shop.example/{paymentId}?{CHECKOUT_SESSION_ID}", "https://a.example:x/{paymentId}"),
    *("https://shop.example/{paymentId}\n", "https://shop.example/ü{paymentId}", "//a/{paymentId}"),
    "https://shop.example/{paymentId}" + "x" * 1000,
    *("https://shop.example/%zz{paymentId}", "https://shop.example/{paymentId}?a=<b>"),
    *("https://shop.example/\\{paymentId}", "http://127.0.0.1.example/{paymentId}"),
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("CHECKOUT", "token", "token"),
        *(("PAYMENT_RETURN_URL", each, each) for each in RETURN_URLS),
        ("CUSTOMER_ACTION_SECONDS", "60", 60),
    ],
)
def test_a_setting_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: Any
) -> None:
    monkeypatch.setenv(name, text)

    assert getattr(read_settings(), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("STRIPE_WEBHOOK_SECRETS", each) for each in NO_SECRETS),
        *(("PAYMENT_RETURN_URL", each) for each in NO_RETURN_URLS),
        *(("CUSTOMER_ACTION_SECONDS", each) for each in ("", "59", "3601", "1.5")),
        ("CHECKOUT", "hunter2"),
    ],
)
def test_a_wrong_value_is_named_but_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    message = refusal(monkeypatch, name, text)

    assert f"  {name}: " in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("name", "must_be"),
    [
        ("STRIPE_WEBHOOK_SECRETS", "1 to 3 secrets that begin with whsec_, separated by commas"),
        ("PAYMENT_RETURN_URL", "an https:// URL with {paymentId} once in its path or query"),
    ],
)
def test_a_line_tells_the_kind_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, name: str, must_be: str
) -> None:
    assert f"  {name}: is text, must be {must_be}" in refusal(monkeypatch, name, "a")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_each_signing_secret_is_read(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    secrets = [f"whsec_0123abcd+/={number}" for number in range(count)]
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRETS", " , ".join(secrets))

    found = read_settings().stripe_webhook_secrets

    assert [each.get_secret_value() for each in found] == secrets


def test_without_a_variable_there_is_no_signing_secret() -> None:
    assert read_settings().stripe_webhook_secrets == ()


def test_a_hosted_page_needs_the_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHECKOUT", "hosted")

    with pytest.raises(SystemExit) as caught:
        read_settings()
    assert (
        "  PAYMENT_RETURN_URL: is missing or empty, must be given where CHECKOUT is hosted."
        in str(caught.value)
    )

    monkeypatch.setenv("PAYMENT_RETURN_URL", RETURN_URLS[0])
    assert read_settings().checkout == "hosted"
