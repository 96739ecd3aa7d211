"""How long one payment takes on an idle system: `python -m benchmarks.latency [payments]`.

Reads the addresses from the environment that `make up` writes to `.devstack/env`.
"""

import os
import statistics
import sys
import time
from uuid import uuid4

import httpx

WARM_UP = 5


def pay(ordering: httpx.Client, api: httpx.Client) -> float:
    """Create an order and pay it; the seconds that the payment took."""
    customer = str(uuid4())
    order = ordering.post("/orders", json={"customerId": customer, "totalAmount": 150})
    body = {"orderId": order.json()["id"], "customerId": customer, "amount": 150}
    start = time.perf_counter()
    answer = api.post("/payments", json=body)
    seconds = time.perf_counter() - start
    answer.raise_for_status()
    assert answer.json()["success"], answer.text
    return seconds


def main(payments: int) -> None:
    with (
        httpx.Client(base_url=os.environ["ORDERING_URL"], trust_env=False) as ordering,
        httpx.Client(base_url=os.environ["PAYMENT_API_URL"], trust_env=False, timeout=60) as api,
    ):
        times = [1000 * pay(ordering, api) for _ in range(WARM_UP + payments)][WARM_UP:]
    worst = statistics.quantiles(times, n=20)[-1]
    print(
        f"{payments} payments, one after the other: median {statistics.median(times):.0f} ms, "
        f"p95 {worst:.0f} ms, min {min(times):.0f} ms, max {max(times):.0f} ms"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
