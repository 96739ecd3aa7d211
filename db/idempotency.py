"""Callers' idempotency keys, each with its payment. They are kept as long as payments are."""

from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from db.statements import execute, fetch
from db.tables import idempotency_keys

_CLAIMED = ("caller", "key", "fingerprint", "payment_id")
_OURS = (
    idempotency_keys.c.caller == bindparam("its_caller"),
    idempotency_keys.c.key == bindparam("its_key"),
)
_CLAIM = (
    insert(idempotency_keys)
    .values({name: bindparam(name) for name in _CLAIMED})
    .on_conflict_do_nothing()
)
_FIND = select(idempotency_keys).where(*_OURS)
_REASSIGN = (
    update(idempotency_keys)
    .where(*_OURS, idempotency_keys.c.payment_id == bindparam("before"))
    .values(payment_id=bindparam("after"))
)


class KeyClaim(NamedTuple):
    """A caller's key, its payment, and the fingerprint of the first request that had the key."""

    caller: str
    key: str
    fingerprint: str
    payment_id: UUID


class IdempotencyKeys:
    """Raises only PaymentError(DATABASE_UNAVAILABLE). Every method is safe to repeat."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, wanted: KeyClaim) -> KeyClaim:
        """Claim the key if it is free. Returns its claim: this one, or the earlier one."""
        if await execute(self._engine, _CLAIM, wanted._asdict()) == 1:
            return wanted
        row = await fetch(self._engine, _FIND, {"its_caller": wanted.caller, "its_key": wanted.key})
        return KeyClaim(*(row[name] for name in _CLAIMED)) if row else wanted

    async def reassign(self, claim: KeyClaim, payment_id: UUID) -> None:
        """Assign the key to another payment, unless another request has already done so."""
        await execute(
            self._engine,
            _REASSIGN,
            {
                "its_caller": claim.caller,
                "its_key": claim.key,
                "before": claim.payment_id,
                "after": payment_id,
            },
        )
