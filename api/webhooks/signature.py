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
NO_HEADER = "it has no valid Stripe-Signature header"
OTHER_TIME = f"the time of its signature differs from our clock by more than {TOLERANCE_SECONDS} s"
NOT_SIGNED = "its signature is of another secret or another body"
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-f]{64}", re.ASCII)


def objection(
    headers: Sequence[str], body: bytes, secrets: Iterable[SecretStr], now: float
) -> str | None:
    """Why the signature is not accepted; None if it is accepted.

    It is accepted if there is one header, one of the secrets signs this body, and the time of the
    signature is near `now`, in seconds since 1970. `headers` are all values of `Stripe-Signature`.
    An empty secret signs nothing: everybody knows it.
    """
    if len(headers) != 1 or len(headers[0]) > MAX_HEADER_BYTES:
        return NO_HEADER
    members = [each.partition("=") for each in headers[0].split(",")]
    times = [value for scheme, _, value in members if scheme == "t"]
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not all(sign for _, sign, _ in members):
        return NO_HEADER
    if abs(now - int(times[0])) > TOLERANCE_SECONDS:
        return OTHER_TIME
    values = (value for scheme, _, value in members if scheme == "v1")
    found = [each for each in values if _SIGNATURE.fullmatch(each)]
    usable = (secret for secret in secrets if secret.get_secret_value())
    right = [_signature(times[0], body, secret) for secret in usable]
    is_signed = any(hmac.compare_digest(one, each) for one in right for each in found)
    return None if is_signed else NOT_SIGNED


def _signature(time: str, body: bytes, secret: SecretStr) -> str:
    key = secret.get_secret_value().encode()
    return hmac.digest(key, b"%b.%b" % (time.encode(), body), "sha256").hex()
