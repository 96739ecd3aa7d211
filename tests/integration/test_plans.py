"""No statement of the service reads more rows because its tables have become larger."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import CompoundSelect, Delete, Insert, Select, TextClause, Update

import db
from benchmarks.load.rows import fill
from benchmarks.load.system import superuser_url
from db.audit import AuditQueries
from db.backlog import BacklogCounts
from db.idempotency import IdempotencyKeys, KeyClaim
from db.migrate import migrate
from db.payments import PaymentStore
from db.reconciliation import ReconciliationRounds
from db.refunds import RefundStore
from db.runs import RecordedRuns
from db.search import PaymentSearch, Position, Search
from db.timeline import DatabaseTimeline
from domain.customer_action import Wait
from domain.errors import PaymentError
from domain.payment import Announcement, Payment, PaymentStatus
from domain.reconciliation import RowPosition
from tests.proofs.migrating import database
from tests.support.builders import DECLINED, a_payment, a_refund
from tests.support.reads import FLUSH, Read, watched, written

pytestmark = pytest.mark.proof  # a third of a minute, for the rows

ROWS = 100_000
"""The number of payments. With this many, PostgreSQL reads a page of them by an index, because that
is cheaper than reading the table."""
PILE = 10_000
"""The number of payments in each state in which payments wait for something. A page has fewer."""
TRIED = uuid4()
"""An order for which somebody tries again and again to pay, without success."""
STATES = {
    "all has ended": "SELECT",
    "Kafka is away": f"""
        UPDATE bc_payment.payments SET announcement = 'due' WHERE id IN
            (SELECT id FROM bc_payment.payments WHERE announcement = 'made'
                ORDER BY created_at DESC LIMIT {PILE});
        UPDATE bc_payment.refunds SET is_announced = false WHERE id IN
            (SELECT id FROM bc_payment.refunds ORDER BY created_at DESC LIMIT {PILE // 20})""",  # noqa: S608 (our own SQL)
    "the gateway is away": """
        UPDATE bc_payment.payments
            SET status = 'pending', error_code = NULL, processed_at = NULL, announcement = 'none'
            WHERE announcement = 'due'""",
    "the gateway declines": """
        UPDATE bc_payment.payments
            SET status = 'failed', error_code = 'CARD_DECLINED', processed_at = created_at
            WHERE status = 'pending'""",
    "somebody tries again and again": f"""
        INSERT INTO bc_payment.payments (id, order_id, customer_id, amount_minor, currency,
            currency_exponent, payment_method, status, error_code, created_at, processed_at,
            is_simulated)
        SELECT gen_random_uuid(), '{TRIED}', gen_random_uuid(), 1, 'USD', 2, 'credit_card',
            'failed', 'AMOUNT_MISMATCH', now(), now(), false
        FROM generate_series(1, {PILE})""",  # noqa: S608 (our own SQL)
}
"""What happens to the newest payments, or makes them. Each follows on the one before."""
PLANS = ("force_custom_plan", "force_generic_plan")
"""PostgreSQL plans a prepared statement for its values or for any values, whichever it takes for
cheaper."""
NOT_THE_SERVICE = {"db.migrate", "db.online"}
"""They change the tables, and do so once."""
STATEMENTS = (CompoundSelect, Select, Insert, Update, Delete, TextClause)
NOW = datetime.now(UTC)
DAY = timedelta(days=1)

Reads = Mapping[str, Sequence[Read]]
"""By the state of the payments."""


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with database(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(scope="module")
async def reads(server: str) -> Reads:
    """What PostgreSQL has read for the statements of the stores, with many payments."""
    await migrate(server)
    superuser = await asyncpg.connect(superuser_url(server, "payments"))
    try:
        await superuser.execute("ALTER SYSTEM SET autovacuum = off")  # it would be counted
        await superuser.execute("SELECT pg_reload_conf()")
        await fill(superuser_url(server, "payments"), ROWS)
        return {state: await reads_in(state, server, superuser) for state in STATES}
    finally:
        await superuser.close()


async def reads_in(
    state: str, url: str, superuser: "asyncpg.Connection[asyncpg.Record]"
) -> list[Read]:
    await superuser.execute("SET session_replication_role = replica")  # no triggers
    await superuser.execute(STATES[state])
    await superuser.execute("VACUUM (ANALYZE, PARALLEL 0)")
    refund_id = await superuser.fetchval(
        "SELECT id FROM bc_payment.refunds WHERE is_announced LIMIT 1"
    )
    await superuser.execute(FLUSH)  # otherwise it would be counted later, with other statements
    found = []
    for plans in PLANS:
        await superuser.execute(f"ALTER ROLE payments SET plan_cache_mode = {plans}")
        async with watched(url) as engine:
            await send_everything(engine, refund_id)
        found += engine.reads
    return found


async def send_everything(engine: Any, refund_id: UUID) -> None:
    """Call the methods of the stores so that each of their statements is sent."""
    paid = await refund(engine, refund_id)
    await pay(PaymentStore(engine))
    await search(PaymentSearch(engine), paid)
    await audit(AuditQueries(engine), paid)
    claim = KeyClaim("tests", str(uuid4()), "fingerprint", paid.id)
    for _ in range(2):
        await IdempotencyKeys(engine).claim(claim)
    await IdempotencyKeys(engine).reassign(claim, uuid4())
    await ReconciliationRounds(engine).record_completed()
    await BacklogCounts(engine).read()


async def refund(engine: Any, refund_id: UUID) -> Payment:
    """Refund the refund's payment once more. Returns the payment."""
    store = RefundStore(engine)
    found = await store.find(refund_id)
    assert found is not None
    paid = await PaymentStore(engine).find(found.payment_id)
    assert paid is not None
    made = a_refund(paid, "1.00", key=str(uuid4()))
    for run in ("first", "second"):
        await store.record_pending(made, run)
    await RecordedRuns(engine)(paid.id)
    await store.record_reference(made.referring("re_1"))
    await store.record_ended(made.succeeded(NOW))
    await store.record_failed_later(made.failed_later(NOW))
    await store.record_announced(made)
    await DatabaseTimeline(engine)(paid, await store.of_payment(paid.id))
    await read_page(store.unfinished_before)
    return paid


async def pay(store: PaymentStore) -> None:
    sent, unsent, undone, failed = (a_payment(created_at=NOW) for _ in range(4))
    for payment in (sent, sent, unsent, undone, failed):
        await store.record_pending(payment, str(uuid4()))
    await store.record_reference(sent.id, f"pi_{sent.id}")
    await store.record_wait(sent.id, Wait(since=NOW, until=NOW + DAY))
    for payment in (sent, unsent):
        await store.record_succeeded(payment.succeeded(NOW, may_be_sent=True))
    await store.record_unsent(unsent)
    for payment in (sent, undone):
        await store.record_compensation(payment.compensating(DECLINED))
    published = failed.failed(DECLINED, NOW, Announcement.DUE)
    await store.record_failed(published)
    await store.record_announcement(published.announced())
    await store.find_closing(failed.order_id)
    with pytest.raises(PaymentError):
        await store.record_pending(a_payment(order_id=failed.order_id))
    await try_again(store)
    await store.ping()
    await read_page(store.pending_before)
    await read_page(store.unpublished_before)


async def try_again(store: PaymentStore) -> None:
    payment = a_payment(order_id=TRIED, created_at=NOW)
    await store.find_closing(TRIED)
    await store.record_pending(payment)
    await store.find_live(TRIED)
    await store.record_failed(payment.failed(DECLINED, NOW))


async def read_page(pages: Any) -> None:
    """Read the first page, and one from the middle."""
    for after in (None, RowPosition(NOW - 30 * DAY, uuid4())):
        await anext(pages(NOW, after), None)


async def search(payments: PaymentSearch, paid: Payment) -> None:
    """With no filter, each one, and all of the time, each also with every status."""
    values: dict[str, Any] = {
        "owner_id": paid.customer_id,
        "customer_id": paid.customer_id,
        "order_id": paid.order_id,
        "created_from": NOW - 30 * DAY,
        "created_before": NOW - 20 * DAY,
        "after": Position(NOW - 25 * DAY, uuid4()),
    }
    assert {"status", *values} == set(Search._fields)
    for names in ((), *((name,) for name in values), ("created_from", "created_before", "after")):
        for status in (None, *PaymentStatus):
            filters = {name: values[name] for name in names}
            await payments.page(Search(status=status, **filters), limit=50)


async def audit(queries: AuditQueries, paid: Payment) -> None:
    await queries.orders_since(NOW - 2 * DAY)
    unfinished = await queries.unfinished()
    orders = [paid.order_id, *list(unfinished.orders)[:9]]
    await queries.payments_of(orders)
    await queries.refunds_of(orders)
    await queries.statuses_of(orders)
    await queries.orders_of_payments([paid.id])
    await queries.orders_of_refunds(await queries.refunds_by_orders(orders))
    await queries.last_completed_round()


@pytest.mark.parametrize("state", STATES)
def test_no_statement_reads_more_than_it_needs(reads: Reads, state: str) -> None:
    faults = {read.statement: read.fault for read in reads[state] if read.fault}

    if faults:
        pytest.fail("\n\n".join(map(str, faults.values())), pytrace=False)


def test_every_statement_is_tried(reads: Reads) -> None:
    tried = {read.statement for found in reads.values() for read in found}
    untried = [
        f"{module.__name__}.{name}"
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, STATEMENTS)
        if not any(each.startswith(written(value)) for each in tried)
    ]

    assert not untried, "let `send_everything` call the methods that send them"


def test_statements_are_constants_and_only_that_of_the_search_is_not() -> None:
    """Otherwise the test before could not know them all. `_count` makes parts of a constant."""
    made = {
        f"{module.__name__}.{function.name}"
        for module in modules()
        for function in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(is_statement(each) for each in ast.walk(function))
    }

    assert made == {"db.search.page", "db.backlog._count"}


def is_statement(node: ast.AST) -> bool:
    kinds = {"select", "insert", "update", "delete", "text"}
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) in kinds


def modules() -> list[ModuleType]:
    """The modules of `db` that send statements of the service."""
    found = [each.name for each in pkgutil.iter_modules(db.__path__, "db.") if not each.ispkg]
    return [importlib.import_module(each) for each in found if each not in NOT_THE_SERVICE]
