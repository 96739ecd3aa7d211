"""One background process: start it, find it again later, send it signals, wait for its end."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from devstack.stack.errors import ComponentError

ROOT = Path(__file__).parents[2]
"""The repository: the working directory of a process, if no other is given."""
_POLL_SECONDS = 0.02
"""Pause between two looks at a process that is ending. Chosen, not measured."""
_START_TIME_TOLERANCE_SECONDS = 2.0
"""Start times are counted from the start of the machine, which Linux knows only to the second."""


class Process:
    """A process that is identified by the file `<directory>/<name>.pid`.

    A pid can be given to another program after the process has ended. So the start time is kept
    in a second file, and a process with another start time is not taken for this one. Nothing is
    cached: every call looks whether the process is running.
    """

    def __init__(self, directory: Path, name: str, *, cwd: Path | None = None) -> None:
        self.name = name
        self._cwd = cwd
        self.log = directory / "logs" / f"{name}.log"
        self._pid_file = directory / f"{name}.pid"
        self._start_file = directory / f"{name}.started"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid, or None if the process is not running."""
        process = self._find_running()
        return process.pid if process else None

    @property
    def uptime(self) -> float | None:
        """Seconds since the start, or None if the process is not running."""
        process = self._find_running()
        return time.time() - process.create_time() if process else None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], *, ephemeral: bool
    ) -> None:
        """Start the process as the leader of a new session, and write its output to a new log file.

        An ephemeral process is killed by the kernel (Linux only) when the calling thread ends.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                [*_parent_death_signal(ephemeral), *command],
                cwd=self._cwd or ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._start_file.write_text(str(_start_time(psutil.Process(self._child.pid))))
        self._pid_file.write_text(f"{self._child.pid}\n")

    async def run(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process and wait for its end. Raises ComponentError if its exit code is not 0.

        When the caller is cancelled, the process is killed.
        """
        self.start(command, environment, ephemeral=True)
        try:
            if process := self._find_running():
                await _wait_until_gone([process])
        finally:
            await self.kill()
        if code := self.exit_code:
            raise ComponentError(self.name, f"ended with code {code}", self.log)

    @property
    def exit_code(self) -> int | None:
        """The exit code, or None if the process is running or was started by another program."""
        return self._child.poll() if self._child else None

    async def stop(self, stop_signal: signal.Signals, timeout_seconds: float) -> None:
        """Send the signal; kill the process if it is still there after the timeout.

        Returns when the process is gone.
        """
        if process := self._find_running():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, stop_signal)
            with suppress(TimeoutError):
                await asyncio.wait_for(_wait_until_gone([process]), timeout_seconds)
        await self.kill()

    async def kill(self) -> None:
        """Send SIGKILL to the process and its descendants. Returns when they are gone."""
        if process := self._find_running():
            processes = _with_descendants(process)
            for each in processes:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            await _wait_until_gone(processes)
        self._collect_exit_code()
        self._pid_file.unlink(missing_ok=True)
        self._start_file.unlink(missing_ok=True)

    def suspend(self) -> None:
        """Send SIGSTOP to the process and its descendants."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT to the process and its descendants."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        if process := self._find_running():
            for each in _with_descendants(process):
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)

    def _find_running(self) -> psutil.Process | None:
        self._collect_exit_code()
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int(self._pid_file.read_text()))
            difference = _start_time(process) - float(self._start_file.read_text())
            if _is_alive(process) and abs(difference) < _START_TIME_TOLERANCE_SECONDS:
                return process
        return None

    def _collect_exit_code(self) -> None:
        """Collect the exit code of our child if it has ended; until then it is a zombie."""
        if self._child:
            self._child.poll()


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


async def _wait_until_gone(processes: Sequence[psutil.Process]) -> None:
    while not all(map(_is_gone, processes)):  # noqa: ASYNC110 - they are not always our children
        await asyncio.sleep(_POLL_SECONDS)


def _is_gone(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        # The first thread may be a zombie while other threads still hold the ports.
        return not process.is_running() or (not _is_alive(process) and process.num_threads() <= 1)
    return True


def _with_descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _start_time(process: psutil.Process) -> float:
    """Seconds from the machine's start: the clock may be changed while the process is running."""
    return process.create_time() - psutil.boot_time()


def _parent_death_signal(ephemeral: bool) -> list[str]:
    """The start of a command line: the kernel kills the process when the starting thread ends."""
    possible = ephemeral and sys.platform == "linux" and shutil.which("setpriv")
    return ["setpriv", "--pdeathsig", "KILL"] if possible else []
