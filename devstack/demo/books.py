"""What five systems record about one order: the demonstration compares it with what it expects."""

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
    """The result of one order's payment, as each of the five systems records it."""

    response: str
    """The API's response: `succeeded`, or the error code."""
    row: str
    """PostgreSQL: the status of the order's last payment, or `none`."""
    charge: str
    """The gateway: the states of its charges, or `none`."""
    net: Decimal
    """The gateway: the captured amount minus the refunded amount."""
    topics: tuple[str, ...]
    """Kafka: the topics of the order's events, one entry for each event."""
    order: str
    """Ordering: the order's status."""


async def read_books(
    environment: Mapping[str, str], order_id: UUID, response: str, topics: tuple[str, ...]
) -> Books:
    """Read PostgreSQL, the gateway and Ordering. The response and the topics are passed in."""
    async with httpx.AsyncClient(trust_env=False) as client:
        order = await client.get(f"{environment['ORDERING_URL']}/orders/{order_id}")
        gateway = environment["STRIPE_URL" if is_at_stripe(environment) else "GATEWAY_URL"]
        found = await client.get(f"{gateway}/charges?orderId={order_id}")
    charges = exact_json.loads(found.content)
    return Books(
        response=response,
        row=await _row(environment["DATABASE_URL"], order_id),
        charge=", ".join(charge["state"] for charge in charges) or "none",
        net=sum(map(_net, charges), Decimal(0)),
        topics=topics,
        order=order.json()["status"],
    )


def is_at_stripe(environment: Mapping[str, str]) -> bool:
    """Whether new payments are charged at the Stripe-shaped gateway."""
    return environment.get("GATEWAY") == "stripe"


async def read_topics(servers: str) -> dict[str, tuple[str, ...]]:
    """For each order id, the topics of its distinct events. Reads all topics from the beginning."""
    by_order = await read_records(servers)
    return {
        order_id: tuple({record.id: record.topic for record in records}.values())
        for order_id, records in by_order.items()
    }


def _net(charge: dict[str, Any]) -> Decimal:
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
