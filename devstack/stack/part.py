"""What each part of the stack has: a command line, a readiness probe and a way to stop."""

import asyncio
import importlib.util
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import ClassVar

from devstack.stack.failures import NotReady, PartFailed, StackError
from devstack.stack.ports import HOST, becomes_free, listener
from devstack.stack.process import Process
from devstack.stack.site import SERVER_VARIABLES, Site

Probe = Callable[[], Awaitable[None]]

_PROBE_SECONDS = 5.0


class Part(ABC):
    """One long-running process. Subclasses say how; `Stack` decides when."""

    name: ClassVar[str]
    title: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_seconds: ClassVar[float] = 5.0
    ready_seconds: ClassVar[float] = 60.0
    poll_seconds: ClassVar[float] = 0.1

    def __init__(self, site: Site) -> None:
        self.site = site
        self.process = Process(site.directory, self.name)

    @property
    @abstractmethod
    def ports(self) -> tuple[int, ...]:
        """The ports it listens on."""

    @property
    @abstractmethod
    def address(self) -> str:
        """Where a person finds it."""

    @abstractmethod
    async def command(self) -> list[str]:
        """The command line; whatever a first start needs has been prepared on return."""

    @abstractmethod
    async def probe(self) -> None:
        """Make one real call as a client. Raises OSError or NotReady while it cannot serve."""

    async def wait_until_ready(self) -> None:
        """Wait until it serves. Raises PartFailed when it ends or takes too long."""
        await self.wait_for(self.probe)

    async def wait_for(self, probe: Probe) -> None:
        """Repeat the probe until it succeeds. Raises PartFailed as `wait_until_ready` does."""
        reason = "no answer"
        try:
            async with asyncio.timeout(self.ready_seconds):
                while failure := await self._failure(probe):
                    reason = failure
                    await asyncio.sleep(self.poll_seconds)
        except TimeoutError:
            late = f"not ready after {self.ready_seconds:.0f} s: {reason}"
            raise PartFailed(self.name, late, self.process.log) from None

    async def port_obstacles(self) -> list[str]:
        """What stands in the way of its ports, each with what to do about it."""
        return [
            f"port {port}, needed by {self.title}, is taken by {listener(port)}. "
            f"Stop that process and try again{self._alternative()}."
            for port in self.ports
            if not await becomes_free(port)
        ]

    def _alternative(self) -> str:
        variable = SERVER_VARIABLES.get(self.name)
        return f", or set {variable} to use a server of yours" if variable else ""

    async def _failure(self, probe: Probe) -> str:
        if not self.process.pid and not self.site.is_external(self.name):
            code = self.process.exit_code
            raise PartFailed(self.name, f"ended with code {code} while starting", self.process.log)
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await probe()
        except (OSError, NotReady) as error:
            return str(error) or type(error).__name__
        return ""


def package_directory(name: str) -> Path:
    """Where an installed package lies; importing it can take half a second."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise StackError(f"the package {name} is not installed: run `make install`")
    return Path(found.origin).parent


async def expect_ok(port: int, path: str) -> None:
    """GET the path from this machine. Raises NotReady unless the answer is 200."""
    await asyncio.to_thread(_expect_ok, port, path)


def _expect_ok(port: int, path: str) -> None:
    # Not through a proxy, whatever the environment says.
    connection = HTTPConnection(HOST, port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(2000).decode(errors="replace")
    except HTTPException as error:
        raise NotReady(f"{path}: {error!r}") from error
    finally:
        connection.close()
    if response.status != 200:  # noqa: PLR2004
        raise NotReady(f"{path} answered {response.status}: {body}")
