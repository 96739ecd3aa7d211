"""The load generator, the counters and the command line, without servers."""

import asyncio
import re
import time
from http import HTTPStatus
from itertools import count
from pathlib import Path

import pytest
import typer
from temporalio.api.common.v1 import Payload, SearchAttributes
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    HistoryEvent,
    MarkerRecordedEventAttributes,
    UpsertWorkflowSearchAttributesEventAttributes,
)
from typer.testing import CliRunner

from benchmarks.connection import Answer, Connection
from benchmarks.load import __main__ as command
from benchmarks.load import revision
from benchmarks.load.client import REFUSED_PAUSE_SECONDS, Load, arrivals
from benchmarks.load.costs import CHANGE_VERSION, VERSION_MARKER, is_of_a_version
from benchmarks.load.counters import COMMAND, STATEMENT, Totals, count_requests
from benchmarks.load.measure import Plan
from benchmarks.load.system import superuser_url

METRICS = "\n".join(
    f'service_requests{{namespace="{namespace}",operation="{name}",service_name="{service}"}} {n}'
    for namespace, name, service, n in (
        ("default", "StartWorkflowExecution", "frontend", 3),
        ("default", "StartWorkflowExecution", "history", 50),
        ("default", "RespondWorkflowTaskCompleted", "frontend", 4),
        ("default", "PollWorkflowExecutionHistory", "frontend", 1),
        ("default", "PollWorkflowTaskQueue", "frontend", 70),
        ("default", "CountWorkflowExecutions", "frontend", 9),
        ("temporal_system", "StartWorkflowExecution", "frontend", 2),
    )
)
LOG = b"""\
payment-worker|LOG:  execute __asyncpg_stmt_4__: INSERT INTO bc_payment.payments (id)
\tVALUES ($1)
payment-worker|DETAIL:  Parameters: $1 = 'x'
payment-api|LOG:  statement: SELECT 1
load|LOG:  statement: SELECT 2
|LOG:  checkpoint starting: time
"""


class QuickConnection:
    is_open = True
    status = HTTPStatus.OK

    async def post(self, path: str, body: bytes) -> Answer:
        assert (path, body[:11]) == ("/payments", b'{"orderId":')
        return Answer(self.status, says_when_to_come_back=False)

    def close(self) -> None:
        pass


@pytest.fixture
def late_load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """A load generator that is late: a second passes at each look at the clock."""
    seconds = count()
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(seconds)))

    async def connect(port: int) -> QuickConnection:
        return QuickConnection()

    monkeypatch.setattr(Connection, "open", connect)
    return Load(1)


async def test_an_open_loop_measures_from_when_a_request_should_have_begun(late_load: Load) -> None:
    await late_load.open_loop(rate=10, seconds=0.5)

    began = sorted(each.began for each in late_load.requests)
    assert began == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert min(each.seconds for each in late_load.requests) > 2


async def test_a_closed_loop_ends_with_the_time(late_load: Load) -> None:
    await late_load.closed_loop(callers=2, seconds=10)

    assert max(each.began for each in late_load.requests) < 10
    assert all(each.is_paid for each in late_load.requests)


async def test_a_caller_who_is_refused_waits_before_the_next_payment(
    late_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(QuickConnection, "status", HTTPStatus.SERVICE_UNAVAILABLE)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    await late_load.closed_loop(callers=1, seconds=10)

    assert pauses == [REFUSED_PAUSE_SECONDS] * len(late_load.requests)
    assert pauses


def test_arrivals_have_equal_distances() -> None:
    assert list(arrivals(4, 1)) == [0, 0.25, 0.5, 0.75]
    assert len(list(arrivals(0.5, 10))) == 5


@pytest.mark.parametrize(
    ("plan", "name"),
    [
        (Plan(9), "one caller"),
        (Plan(9, callers=32), "32 callers"),
        (Plan(9, rate=2.5), "2.5 arrivals a second"),
    ],
)
def test_a_load_is_named(plan: Plan, name: str) -> None:
    assert str(plan) == name


def test_only_requests_of_payments_are_counted() -> None:
    assert count_requests(METRICS) == 8


def test_only_statements_of_api_and_worker_are_counted() -> None:
    assert len(STATEMENT.findall(LOG)) == 2


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b'+1790000000.123456 [0 127.0.0.1:60866] "EVALSHA" "abc" "1"', b"EVALSHA"),
        (b'+1790000000.123456 [0 lua] "incrby" "key"', None),
        (b"+OK", None),
    ],
)
def test_commands_of_scripts_are_not_counted(line: bytes, name: bytes | None) -> None:
    found = COMMAND.match(line)

    assert (found and found[1]) == name


def test_what_was_spent_is_a_difference() -> None:
    assert Totals(9, 9, 9, 9, 9) - Totals(1, 2, 3, 4, 5) == Totals(8, 7, 6, 5, 4)


def test_events_of_versions_are_known() -> None:
    marker = EventType.EVENT_TYPE_MARKER_RECORDED
    attributes = UpsertWorkflowSearchAttributesEventAttributes(
        search_attributes=SearchAttributes(indexed_fields={CHANGE_VERSION: Payload()})
    )

    def recorded(name: str) -> HistoryEvent:
        attributes = MarkerRecordedEventAttributes(marker_name=name)
        return HistoryEvent(event_type=marker, marker_recorded_event_attributes=attributes)

    upsert = HistoryEvent(upsert_workflow_search_attributes_event_attributes=attributes)
    assert [is_of_a_version(each) for each in (recorded(VERSION_MARKER), upsert)] == [True, True]
    assert not is_of_a_version(recorded("core_local_activity"))
    assert not is_of_a_version(HistoryEvent())


def test_the_superuser_reaches_the_same_server() -> None:
    url = superuser_url("postgresql://payments:payments@127.0.0.1:5/load_x")

    assert url == "postgresql://postgres:postgres@127.0.0.1:5/postgres"


def test_a_full_database_is_compared_with_an_empty_one() -> None:
    empty, full = command._revisions(None, rows=9, observe=None)

    assert (empty.payments, full.payments) == (0, 9)
    assert empty.name != full.name, "each name has a database of its own"
    assert empty.tree == full.tree


def test_the_cost_of_traces_is_measured_with_the_same_files() -> None:
    without, with_traces = command._revisions(None, rows=None, observe="traces")

    assert (without.observe, with_traces.observe) == (None, "traces")
    assert without.tree == with_traces.tree


def test_revisions_with_the_same_dependencies_have_one_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def run(*command: str) -> None:
        made.append(command[-1])
        if "venv" in command:
            Path(command[-1]).mkdir(parents=True)

    monkeypatch.setattr(revision, "OUTPUT", tmp_path)
    monkeypatch.setattr(revision, "_run", run)
    locks = [tmp_path / name for name in ("one.txt", "same.txt", "other.txt")]
    for lock, text in zip(locks, ("a==1", "a==1", "a==2"), strict=True):
        lock.write_text(text)

    one, same, other = (revision.python_for(each) for each in locks)

    assert one == same
    assert other != one
    installed = [each for each in made if each.endswith(".txt")]
    assert installed == [str(locks[0]), str(locks[2])]


def test_the_present_commit_is_named() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}(, with changes)?|unknown", revision.present_commit())


@pytest.mark.parametrize(
    ("arguments", "exit_code", "output"),
    [
        (["--callers", "1"], 2, "--callers"),
        (["--duration", "0"], 2, "--duration"),
        (["--rate", "0"], 2, "--rate"),
        (["--rounds", "0"], 2, "--rounds"),
        (["--rows", "0"], 2, "--rows"),
        (["--rows", "9", "--compare", "HEAD"], 2, "only one of"),
        (["--rows", "9", "--observe", "traces"], 2, "only one of"),
        (["--compare", "no-such-revision"], 1, "`git rev-parse --verify` failed"),
        (["--compare", "--help"], 1, "`git rev-parse --verify` failed"),
    ],
)
def test_wrong_arguments_are_named(arguments: list[str], exit_code: int, output: str) -> None:
    app = typer.Typer()
    app.command()(command.main)

    ran = CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(app, arguments)

    assert (ran.exit_code, output in ran.output) == (exit_code, True), ran.output
