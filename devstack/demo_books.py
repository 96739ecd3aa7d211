"""What the five places say about one order: the demo compares them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from audit.__main__ import read_records
from domain import exact_json


@dataclass(frozen=True)
class Books:
    """One order's ending. `row` is its last payment in PostgreSQL, `net` what the gateway keeps."""

    answer: str
    row: str
    charge: str
    net: Decimal
    topics: tuple[str, ...]
    order: str


async def read_books(
    environment: Mapping[str, str], order_id: UUID, answer: str, topics: tuple[str, ...]
) -> Books:
    async with httpx.AsyncClient(trust_env=False) as client:
        order = await client.get(f"{environment['ORDERING_URL']}/orders/{order_id}")
        charges = await client.get(f"{environment['GATEWAY_URL']}/charges?orderId={order_id}")
    charged = exact_json.loads(charges.content)
    return Books(
        answer=answer,
        row=await _row(environment["DATABASE_URL"], order_id),
        charge=", ".join(charge["state"] for charge in charged) or "none",
        net=sum(map(_kept, charged), Decimal(0)),
        topics=topics,
        order=order.json()["status"],
    )


async def read_topics(servers: str) -> dict[str, tuple[str, ...]]:
    """The topics of each order's distinct events, read from the beginning to now."""
    by_order = await read_records(servers)
    return {
        order_id: tuple({record.id: record.topic for record in records}.values())
        for order_id, records in by_order.items()
    }


def _kept(charge: dict[str, Any]) -> Decimal:
    if charge["state"] not in {"captured", "refunded"}:
        return Decimal(0)
    return Decimal(charge["amount"]) - Decimal(charge["refundedAmount"] or 0)


async def _row(database_url: str, order_id: UUID) -> str:
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(
            "SELECT status FROM bc_payment.payments WHERE order_id = $1 ORDER BY created_at",
            order_id,
        )
    finally:
        await connection.close()
    return str(rows[-1]["status"]) if rows else "none"
