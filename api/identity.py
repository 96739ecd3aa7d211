"""Identify the caller by a bearer token (RFC 6750, RFC 9068), checked with its issuer's keys."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import jwt

from api.request_errors import RequestError, RequestErrorCode
from domain.errors import ErrorCode, PaymentError

ALGORITHMS = ("RS256", "ES256", "EdDSA")
LEEWAY_SECONDS = 30
"""How far the issuer's clock may differ from ours. Chosen, not measured."""
MAX_KEYS_AGE_SECONDS = 600
"""How long the keys are used before they are read again. Chosen, not measured."""
KEYS_PAUSE_SECONDS = 30
"""Shortest time between two requests to the issuer, even if many tokens name unknown keys. Chosen,
not measured."""
WRITE = "payments:write"
READ = "payments:read"
REFUND = "payments:refund"
NOBODY = UUID(int=0)
"""The customer id of a token whose subject is not a UUID: no payment has this customer."""
AT_JWT = frozenset({"at+jwt", "application/at+jwt"})
"""The type of access tokens (RFC 9068 section 2.1)."""
TOKEN_TYPES = AT_JWT | {"", "jwt"}
"""What `typ` in a token's header may be, in lower case; empty if there is none."""
REQUIRED = ["exp", "iss", "aud", "sub"]

log = logging.getLogger(__name__)

FetchKeys = Callable[[], Awaitable[Any]]


class Principal(NamedTuple):
    """A caller: a customer, who acts for itself, or a service, which acts for any customer."""

    customer_id: UUID | None
    """The only customer it may act for; None for a service."""
    scopes: frozenset[str]

    @property
    def is_service(self) -> bool:
        return self.customer_id is None

    def acts_for(self, customer_id: UUID) -> bool:
        return self.customer_id in {None, customer_id}


ANYBODY = Principal(None, frozenset({WRITE, READ, REFUND}))
"""The principal of every caller while callers are not identified."""


class IssuerKeys:
    """The issuer's public keys. While it does not respond, the last known keys are used."""

    def __init__(self, fetch: FetchKeys) -> None:
        self._fetch = fetch
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._refreshed_at = float("-inf")
        self._refreshing = asyncio.Lock()

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """The key with this id; the id is empty if the token names none.

        If the issuer has only one key, the token or the key may lack an id.

        Raises PaymentError(SERVICE_UNAVAILABLE) if no keys are known at all.
        """
        if self._is_due(key_id):
            async with self._refreshing:
                if self._is_due(key_id):
                    await self._refresh()
        if not self._keys:
            raise PaymentError(
                ErrorCode.SERVICE_UNAVAILABLE,
                "Callers cannot be identified just now. Send the same request again.",
            )
        return self._known(key_id)

    def _known(self, key_id: str) -> jwt.PyJWK | None:
        if len(self._keys) == 1:
            [only] = self._keys.values()
            if not key_id or not only.key_id:
                return only
        return self._keys.get(key_id)

    def _is_due(self, key_id: str) -> bool:
        wait = MAX_KEYS_AGE_SECONDS if self._known(key_id) else KEYS_PAUSE_SECONDS
        return time.monotonic() >= self._refreshed_at + wait

    async def _refresh(self) -> None:
        try:
            keys = _usable(jwt.PyJWKSet.from_dict(await self._fetch()).keys)
            self._keys = {key.key_id or "": key for key in keys} or self._keys
        except (PaymentError, jwt.PyJWTError, AttributeError):
            log.warning("the issuer's keys cannot be read; the last known keys are used")
        finally:
            self._refreshed_at = time.monotonic()


def _usable(keys: Sequence[jwt.PyJWK]) -> Sequence[jwt.PyJWK]:
    """The signature keys that we accept. If there are several, those without an id are left out."""
    ours = [
        key
        for key in keys
        if key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}
    ]
    named = [key for key in ours if key.key_id]
    if len(ours) == 1:
        return ours
    if len(named) < len(ours):
        log.warning("%s of the issuer's keys have no id and are not used", len(ours) - len(named))
    return named


class Authenticator:
    """Finds the caller that a token names. If `keys` is None, every caller is trusted."""

    def __init__(
        self,
        keys: IssuerKeys | None,
        issuer: str,
        audience: str,
        types: Collection[str] = TOKEN_TYPES,
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._types = types

    async def authenticate(self, token: str | None) -> Principal:
        """Check the token, and return the caller. Raises RequestError(UNAUTHENTICATED)."""
        if self._keys is None:
            return ANYBODY
        try:
            return _principal(await self._claims(self._keys, token or ""))
        except jwt.PyJWTError as error:
            raise RequestError(
                RequestErrorCode.UNAUTHENTICATED, "Send a valid bearer token of the right issuer."
            ) from error

    async def _claims(self, keys: IssuerKeys, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if str(header.get("typ", "")).lower() not in self._types:
            raise jwt.InvalidTokenError
        key = await keys.find(header.get("kid", ""))
        if key is None or header.get("alg") != key.algorithm_name:
            raise jwt.InvalidKeyError
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            issuer=[self._issuer, f"{self._issuer}/"],
            audience=self._audience,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED},
        )
        return claims


def _principal(claims: Mapping[str, Any]) -> Principal:
    """The caller that the claims describe.

    Raises jwt.InvalidTokenError if the subject is empty or the scopes are malformed.
    """
    if not claims["sub"]:
        raise jwt.InvalidTokenError
    return Principal(_customer_id(claims), _scopes(claims.get("scope", "")))


def _customer_id(claims: Mapping[str, Any]) -> UUID | None:
    """The customer that the token is for; None for a service.

    The subject of a service's token is its own client id (RFC 9068 section 2.2).
    """
    if claims.get("client_id") == claims["sub"]:
        return None
    try:
        return UUID(claims["sub"])
    except ValueError:
        return NOBODY


def _scopes(scope: object) -> frozenset[str]:
    """Parse the scopes: a text separated by spaces (RFC 8693 section 4.2), or a list.

    Some issuers send a list. Raises jwt.InvalidTokenError for anything else.
    """
    listed = scope.split() if isinstance(scope, str) else scope
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise jwt.InvalidTokenError
    return frozenset(listed)


TRUST_EVERYONE = Authenticator(None, issuer="", audience="")
"""Trusts every caller: for a service that only trusted callers can reach."""
