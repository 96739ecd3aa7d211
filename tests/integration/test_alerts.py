"""Every alert fires and stays silent in promtool, and the runbook's queries can be run."""

import re
import subprocess

import pytest

from devstack.stack.temporal import run_temporal_command
from tests.support.observability import CASES, FOLDER, RULES, known_series, recorded, selectors
from tests.support.programs import PROMTOOL
from tests.support.repository import ROOT
from tests.support.system import System

RUNBOOK = (ROOT / "docs/alerts.md").read_text()
SPANS = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", RUNBOOK)]


def spans(pattern: str) -> list[str]:
    """The code of the runbook that begins like this."""
    return sorted({span for span in SPANS if re.match(pattern, span)})


LISTS = spans(r"(ExecutionStatus|Payment\w+|WorkflowType) = ")
STATEMENTS = spans("SELECT ")
EXPRESSIONS = spans(r"(sum|min|max|histogram_quantile|time)\b.*\(")
COMMANDS = spans("temporal ")


def promtool(*arguments: str) -> str:
    command = [PROMTOOL.require(), *arguments]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)  # noqa: S603 (our own command)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.proof  # ten seconds of CPU time
@pytest.mark.parametrize("file", CASES)
def test_the_alerts_fire_and_stay_silent(file: str) -> None:
    assert "SUCCESS" in promtool("test", "rules", file)


def test_promtool_accepts_the_rules_and_the_configuration() -> None:
    for file in RULES:
        promtool("check", "rules", "--lint-fatal", file)
    promtool("check", "config", "prometheus.yml")


@pytest.mark.parametrize("query", LISTS)
async def test_temporal_accepts_a_query_of_the_runbook(system: System, query: str) -> None:
    assert (await system.temporal.count_workflows(query)).count >= 0


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_postgresql_accepts_a_statement_of_the_runbook(
    system: System, statement: str
) -> None:
    await system.database.fetch(statement)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_the_runbook_uses_metrics_that_exist(expression: str) -> None:
    used = {selector.metric for selector in selectors(expression)}

    assert used
    assert used <= known_series() | recorded()


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_of_the_runbook_runs(system: System, command: str) -> None:
    _, *arguments = command.split()

    assert await run_temporal_command(system.stack.environment(), *arguments)


def test_the_runbook_has_queries_of_each_kind() -> None:
    assert LISTS
    assert STATEMENTS
    assert EXPRESSIONS
    assert COMMANDS
