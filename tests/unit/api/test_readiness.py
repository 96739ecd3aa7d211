"""Readiness checks the dependencies once a second, however many requests there are."""

import asyncio
from types import SimpleNamespace

import pytest

from api import readiness
from api.readiness import Readiness, Report

READY = Report(is_ready=True, dependencies={"postgresql": "up"}, warnings=[])


class Dependency:
    """Counts its checks, and responds while `answers` is set."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    async def check(self) -> None:
        self.asked += 1
        self.is_asked.set()
        await self.answers.wait()


@pytest.fixture
def dependency() -> Dependency:
    return Dependency()


@pytest.fixture
def subject(dependency: Dependency) -> Readiness:
    return Readiness({"postgresql": dependency.check}, {})


async def test_concurrent_requests_share_one_check(
    subject: Readiness, dependency: Dependency
) -> None:
    dependency.answers.clear()
    asking = [asyncio.create_task(subject.report()) for _ in range(100)]
    await dependency.is_asked.wait()
    asking[0].cancel()  # that its caller has gone is nothing to the others
    dependency.answers.set()

    assert await asyncio.gather(*asking[1:]) == [READY] * 99
    assert dependency.asked == 1


async def test_a_report_is_returned_again_for_a_second(
    subject: Readiness, dependency: Dependency, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("api.readiness.time", SimpleNamespace(monotonic=lambda: now))
    for _ in range(100):
        await subject.report()
    assert dependency.asked == 1

    now += readiness.FRESH_SECONDS
    await subject.report()
    assert dependency.asked == 2


async def test_dependency_that_does_not_answer_is_down(
    subject: Readiness, dependency: Dependency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.01)
    dependency.answers.clear()

    assert await subject.report() == Report(False, {"postgresql": "down"}, [])
