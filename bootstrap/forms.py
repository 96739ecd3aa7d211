"""Checks of settings that are more than a word, a number or a URL.

Each function returns the value that the process uses. If the value is wrong, it raises ValueError;
the message says what the value must be.
"""

import re
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from limits import parse_many
from pydantic import SecretStr

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:]+\])(?P<port>:[1-9][0-9]{0,4})?")
"""As browsers send it (RFC 6454 section 6.2): in lower case, without a path or the default port."""
STRIPE_KEY = re.compile(r"(?:sk|rk)_(?:test|live)_\w+", re.ASCII)
"""Secret and restricted keys (https://docs.stripe.com/keys). A publishable key cannot charge."""
WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9_+/=-]{8,}")
"""Signing secrets of an endpoint (https://docs.stripe.com/webhooks/signature). Stripe's have 32
letters after the prefix. One with fewer than 8 could be guessed."""
MAX_WEBHOOK_SECRETS = 3
"""The maximum number of signing secrets. Stripe signs with two while a secret is replaced; the
third is for another replacement in that time."""
PAYMENT_ID = "{paymentId}"
"""The placeholder for the payment's id in PAYMENT_RETURN_URL."""
MAX_RETURN_URL = 1000
"""The maximum length of PAYMENT_RETURN_URL. Chosen, not measured."""
RETURN_URL = re.compile(
    r"https?://(?:[\w\-.~:/?#\[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2}|\{paymentId\})+", re.ASCII
)
"""A URL with only the characters of RFC 3986. Stripe refuses payments if it has others."""
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def rate(text: str) -> str:
    try:
        [limit] = parse_many(text)
    except ValueError:
        raise ValueError("one rate such as 120/minute or 10/second") from None
    if limit.amount < 1:
        raise ValueError("a rate of at least 1 request, such as 120/minute")
    return text


def listening_address(text: str | None) -> str | None:
    if text is not None and not _is_listening_address(text):
        raise ValueError("an IP address and a port, such as 127.0.0.1:9464 or [::1]:9464")
    return text


def _is_listening_address(text: str) -> bool:
    try:
        url = urlsplit(f"//{text}")
        ip_address(url.hostname or "")
        return bool(url.port) and url.netloc == url.netloc.rpartition("@")[2] == text
    except ValueError:
        return False


def networks(text: str) -> str:
    try:
        for each in text.split(","):
            ip_network(each.strip())
    except ValueError:
        raise ValueError("addresses or networks such as 10.0.0.0/8, separated by commas") from None
    return text


def origins(value: object) -> object:
    """Parse a list of origins. An empty text means no origin, `*` alone means every origin."""
    if not isinstance(value, str):
        return value
    found = tuple(item.strip() for item in value.split(",")) if value.strip() else ()
    if found != ("*",) and not all(map(_is_origin, found)):
        raise ValueError(
            "origins as browsers send them, such as https://shop.example, separated by commas: "
            "in lower case, without a path, a / at the end or the default port"
        )
    return found


def _is_origin(text: str) -> bool:
    match = ORIGIN.fullmatch(text)
    default = DEFAULT_PORTS.get(text.partition(":")[0])
    return match is not None and (match["port"] is None or match["port"] != default)


def stripe_key(key: SecretStr | None) -> SecretStr | None:
    if key is not None and not STRIPE_KEY.fullmatch(key.get_secret_value()):
        raise ValueError("a key of Stripe that begins with sk_ or rk_, then test_ or live_")
    return key


def is_live(key: SecretStr | None) -> bool:
    """Whether this key of Stripe moves real money."""
    return key is not None and "_live_" in key.get_secret_value()[:8]


def webhook_secrets(value: object) -> object:
    """Parse the signing secrets of webhooks.

    Raises ValueError if one is empty, because anybody could sign with an empty secret.
    """
    if not isinstance(value, str):
        return value
    found = tuple(each.strip() for each in value.split(","))
    if len(found) > MAX_WEBHOOK_SECRETS or not all(map(WEBHOOK_SECRET.fullmatch, found)):
        raise ValueError(
            f"1 to {MAX_WEBHOOK_SECRETS} secrets that begin with whsec_, separated by commas"
        )
    return found


def return_url(template: str | None) -> str | None:
    """Check the URL to which customers come back. It has the payment's id in its path or query."""
    if template is not None and not _is_return_url(template):
        raise ValueError(
            f"an https:// URL with {PAYMENT_ID} once in its path or query, such as "
            f"https://shop.example/paid?payment={PAYMENT_ID}, or an http:// one of this machine"
        )
    return template


def _is_return_url(template: str) -> bool:
    if len(template) > MAX_RETURN_URL or not RETURN_URL.fullmatch(template):
        return False
    try:
        url = urlsplit(template)
        is_reachable = url.scheme == "https" or is_loopback(url.hostname)
        names_a_server = bool(url.hostname) and "@" not in url.netloc and url.port != 0
    except ValueError:
        return False
    where = f"{url.path}?{url.query}"
    is_named_once = PAYMENT_ID in where and template.count(PAYMENT_ID) == 1
    return is_reachable and names_a_server and is_named_once


def is_loopback(host: str | None) -> bool:
    """Whether this is a name or an address of the machine itself."""
    if host == "localhost":
        return True
    try:
        return ip_address((host or "").strip("[]")).is_loopback
    except ValueError:
        return False
