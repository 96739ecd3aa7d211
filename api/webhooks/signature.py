"""The signature of a webhook: https://docs.stripe.com/webhooks/signature.

The header is `t=<seconds>,v1=<hex>[,v1=<hex>]`. Each `v1` is the HMAC-SHA256 of `t`, a dot and the
raw body, with one of the endpoint's secrets. While a secret is replaced, there are two.
"""

import hmac
import re
from collections.abc import Iterable, Sequence

from pydantic import SecretStr

TOLERANCE_SECONDS = 300
"""The maximum difference between the time of the signature and our clock, in both directions.
Stripe's own clients also allow 300 s for the past, but any time in the future: then a copied
webhook could be sent again later."""
MAX_HEADER_BYTES = 4096
"""The maximum length of the header, which has about 150 bytes, and 230 with two signatures. Chosen,
not measured."""
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


def is_signed(
    headers: Sequence[str], body: bytes, secrets: Iterable[SecretStr], now: float
) -> bool:
    """Whether there is one header, it signs this body with one of the secrets, and it is recent.

    `headers` are all values of `Stripe-Signature`; `now` is in seconds since 1970. An empty secret
    signs nothing: everybody knows it.
    """
    if len(headers) != 1 or len(headers[0]) > MAX_HEADER_BYTES:
        return False
    members = [each.partition("=") for each in headers[0].split(",")]
    times = [value for scheme, _, value in members if scheme == "t"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not all(sign for _, sign, _ in members):
        return False
    if abs(now - int(times[0])) > TOLERANCE_SECONDS:
        return False
    values = (value for scheme, _, value in members if scheme == "v1")
    found = [each for each in values if _SIGNATURE.fullmatch(each)]
    usable = (secret for secret in secrets if secret.get_secret_value())
    right = [_signature(times[0], body, secret) for secret in usable]
    return any(hmac.compare_digest(one, each) for one in right for each in found)


def _signature(time: str, body: bytes, secret: SecretStr) -> str:
    key = secret.get_secret_value().encode()
    return hmac.digest(key, b"%b.%b" % (time.encode(), body), "sha256").hex()
