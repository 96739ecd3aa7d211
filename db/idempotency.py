"""Idempotency keys: which payment a caller's key stands for, kept as long as payments are."""

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
    """What a key stands for: the payment, and the fingerprint of the request it came with first."""

    caller: str
    key: str
    fingerprint: str
    payment_id: UUID


class IdempotencyKeys:
    """Raises only PaymentError(DATABASE_UNAVAILABLE). Every method is safe to repeat."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def claim(self, wanted: KeyClaim) -> KeyClaim:
        """The claim under which the key stands: the wanted one if it is the first."""
        if await execute(self._engine, _CLAIM, wanted._asdict()) == 1:
            return wanted
        row = await fetch(self._engine, _FIND, {"its_caller": wanted.caller, "its_key": wanted.key})
        return KeyClaim(*(row[name] for name in _CLAIMED)) if row else wanted

    async def reassign(self, claim: KeyClaim, payment_id: UUID) -> None:
        """Let the key stand for another payment, unless somebody has done so already."""
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
