"""CPU time and memory are those of the process and of its children, also of ended ones."""

import os
import subprocess
import sys

from benchmarks.load import usage

TICK_SECONDS = 0.02
"""Linux counts CPU time in hundredths of a second."""
BURN = "import os; sum(range(5_000_000)); print(sum(os.times()[:2]))"
"""Uses CPU time, and prints how much."""


def test_the_cpu_time_of_an_ended_child_counts_for_its_parent() -> None:
    own = {"own": os.getpid()}
    before = usage.cpu_seconds(own)["own"]
    burning = (sys.executable, "-c", BURN)
    ran = subprocess.run(burning, capture_output=True, check=True)  # noqa: S603 (our own command)

    assert usage.cpu_seconds(own)["own"] - before > float(ran.stdout) - TICK_SECONDS


def test_the_machine_is_at_least_as_busy_as_this_process() -> None:
    assert usage.busy_seconds() >= sum(os.times()[:2])


def test_memory_is_resident_memory() -> None:
    assert usage.memory_bytes({"own": os.getpid()})["own"] > 2**20
