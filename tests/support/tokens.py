"""An issuer of bearer tokens: its private keys, its public keys, and tokens signed with them."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from api.identity import READ, WRITE, Authenticator, IssuerKeys
from tests.support.fake_resources import CUSTOMER

ISSUER, AUDIENCE = "https://issuer.example", "payments"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PRIVATE: dict[str, Any] = {
    "RS256": RSA,
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def key_set() -> dict[str, Any]:
    keys = []
    for name, key in PRIVATE.items():
        algorithm = jwt.get_algorithm_by_name(name)
        public = json.loads(algorithm.to_jwk(key.public_key()))
        keys.append({**public, "kid": name, "alg": name, "use": "sig"})
    return {"keys": keys}


def an_authenticator() -> Authenticator:
    """Accepts the tokens of this issuer."""

    async def fetch() -> Any:
        return key_set()

    return Authenticator(IssuerKeys(fetch), ISSUER, AUDIENCE)


def claims(**changes: Any) -> dict[str, Any]:
    wanted = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": CUSTOMER,
        "exp": time.time() + 300,
        "scope": f"{WRITE} {READ}",
        **changes,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def a_token(algorithm: str = "RS256", **changes: Any) -> str:
    headers = {"kid": algorithm}
    return jwt.encode(claims(**changes), PRIVATE[algorithm], algorithm, headers=headers)
