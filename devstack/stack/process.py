"""One detached process of the stack: started, found again, signalled and waited for."""

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

from devstack.stack.failures import PartFailed

ROOT = Path(__file__).parents[2]
_POLL = 0.02
_SAME_START = 2.0  # seconds; the start of the machine is known to the second


class Process:
    """Known by `<directory>/<name>.pid`; every call looks anew whether it lives.

    Its start time, kept beside the pid file, tells it from a stranger that was given the same pid.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.log = directory / "logs" / f"{name}.log"
        self._pid_file = directory / f"{name}.pid"
        self._start_file = directory / f"{name}.started"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its pid, or None if it does not live."""
        process = self._living()
        return process.pid if process else None

    @property
    def uptime(self) -> float | None:
        """Seconds since it was started, or None if it does not live."""
        process = self._living()
        return time.time() - process.create_time() if process else None

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], *, ephemeral: bool
    ) -> None:
        """Start it in a session of its own, with a fresh log; if ephemeral, it ends with us."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                [*_tie(ephemeral), *command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._start_file.write_text(str(_started(psutil.Process(self._child.pid))))
        self._pid_file.write_text(f"{self._child.pid}\n")

    async def run(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run it to its end. Raises PartFailed unless that is a success."""
        self.start(command, environment, ephemeral=True)
        try:
            if process := self._living():
                await _end_of([process])
        finally:
            await self.kill()
        if code := self.exit_code:
            raise PartFailed(self.name, f"ended with code {code}", self.log)

    @property
    def exit_code(self) -> int | None:
        """What it ended with, if it was started here and has ended."""
        return self._child.poll() if self._child else None

    async def stop(self, kindly: signal.Signals, grace: float) -> None:
        """Ask it to end and, `grace` seconds later, make it. Returns when it is gone."""
        if process := self._living():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, kindly)
            with suppress(TimeoutError):
                await asyncio.wait_for(_end_of([process]), grace)
        await self.kill()

    async def kill(self) -> None:
        """Send SIGKILL to it and to all that it started. Returns when they are gone."""
        if process := self._living():
            family = _family(process)
            for member in family:
                with suppress(psutil.NoSuchProcess):
                    member.kill()
            await _end_of(family)
        self._reap()
        self._pid_file.unlink(missing_ok=True)
        self._start_file.unlink(missing_ok=True)

    def suspend(self) -> None:
        """Send SIGSTOP to it and to all that it started."""
        self._signal_family(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_family(signal.SIGCONT)

    def _signal_family(self, number: signal.Signals) -> None:
        if process := self._living():
            for member in _family(process):
                with suppress(psutil.NoSuchProcess):
                    member.send_signal(number)

    def _living(self) -> psutil.Process | None:
        self._reap()
        with suppress(OSError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int(self._pid_file.read_text()))
            started = float(self._start_file.read_text())
            if _is_alive(process) and abs(_started(process) - started) < _SAME_START:
                return process
        return None

    def _reap(self) -> None:
        if self._child:
            self._child.poll()


def _is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


async def _end_of(family: Sequence[psutil.Process]) -> None:
    while not all(map(_is_gone, family)):  # noqa: ASYNC110 - not always children of ours
        await asyncio.sleep(_POLL)


def _is_gone(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        # Its first thread may be a zombie while others still hold its ports.
        return not process.is_running() or (not _is_alive(process) and process.num_threads() <= 1)
    return True


def _family(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def _started(process: psutil.Process) -> float:
    # Counted from the machine's start, because the clock may be set while the process lives.
    return process.create_time() - psutil.boot_time()


def _tie(ephemeral: bool) -> list[str]:
    """A prefix that makes the kernel kill the process when the thread that started it ends."""
    tied = ephemeral and sys.platform == "linux" and shutil.which("setpriv")
    return ["setpriv", "--pdeathsig", "KILL"] if tied else []
