"""The base class of the stack's components: command line, readiness probe, ports, timeouts."""

import asyncio
import importlib.util
import signal
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import ClassVar

from devstack.stack.errors import ComponentError, NotReadyError, StackError
from devstack.stack.ports import HOST, becomes_free, describe_listener
from devstack.stack.process import Process
from devstack.stack.site import SERVER_VARIABLES, Site

Probe = Callable[[], Awaitable[None]]

_PROBE_TIMEOUT_SECONDS = 5.0
"""Time limit of one probe. Chosen, not measured."""
_SHOWN_BYTES = 2000
"""How much of an unexpected response body an error shows. Chosen, not measured."""


class Component(ABC):
    """One long-running process of the stack: a server, a neighbour, the worker, the API, the shop.

    A subclass says how the process is started and probed. `Stack` decides when.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    depends_on: ClassVar[frozenset[str]] = frozenset()
    """Names of the components that must be ready before this one is started."""
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_timeout_seconds: ClassVar[float] = 5.0
    """After this time the process is killed. Chosen, not measured."""
    start_timeout_seconds: ClassVar[float] = 60.0
    """After this time the start fails. Long, because all components start at once.

    Chosen, not measured.
    """
    probe_interval_seconds: ClassVar[float] = 0.1
    """Pause between two probes. Chosen, not measured."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.process = Process(site.directory, self.name)

    @property
    @abstractmethod
    def ports(self) -> tuple[int, ...]:
        """The ports that the process listens on."""

    @property
    @abstractmethod
    def address(self) -> str:
        """The address that is shown to a person."""

    @property
    def variables(self) -> Mapping[str, str]:
        """Environment variables that only this component's process gets."""
        return {}

    @abstractmethod
    async def command(self) -> list[str]:
        """Prepare what a first start needs, such as a data directory; return the command line."""

    @abstractmethod
    async def probe(self) -> None:
        """Make one real call, as a client does.

        Raises OSError or NotReadyError while the component cannot serve.
        """

    async def wait_until_ready(self) -> None:
        """Wait until `probe` succeeds. Raises ComponentError if it ends or takes too long."""
        await self.wait_for(self.probe)

    async def wait_for(self, probe: Probe) -> None:
        """Wait until this probe succeeds. Raises ComponentError as `wait_until_ready` does."""
        reason = "no answer"
        try:
            async with asyncio.timeout(self.start_timeout_seconds):
                while failure := await self._failure_of(probe):
                    reason = failure
                    await asyncio.sleep(self.probe_interval_seconds)
        except TimeoutError:
            late = f"not ready after {self.start_timeout_seconds:.0f} s: {reason}"
            raise ComponentError(self.name, late, self.process.log) from None

    async def port_conflicts(self) -> list[str]:
        """One message for each port that another process uses, with what the user can do."""
        return [
            f"port {port}, needed by {self.title}, is taken by {describe_listener(port)}. "
            f"Stop that process and try again{self._alternative()}."
            for port in self.ports
            if not await becomes_free(port)
        ]

    def _alternative(self) -> str:
        variable = SERVER_VARIABLES.get(self.name)
        return f", or set {variable} to use a server of yours" if variable else ""

    async def _failure_of(self, probe: Probe) -> str:
        """Make one probe. Returns why it failed, or an empty string."""
        if not self.process.pid and not self.site.is_external(self.name):
            reason = f"ended with code {self.process.exit_code} while starting"
            raise ComponentError(self.name, reason, self.process.log)
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_SECONDS):
                await probe()
        except (OSError, NotReadyError) as error:
            return str(error) or type(error).__name__
        return ""


def package_directory(name: str) -> Path:
    """Find an installed package without importing it, which can take half a second.

    Raises StackError if it is not installed.
    """
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise StackError(f"the package {name} is not installed: run `make install`")
    return Path(found.origin).parent


async def expect_ok(port: int, path: str) -> None:
    """GET the path from this machine. Raises OSError, or NotReadyError if the status is not 200."""
    await asyncio.to_thread(_expect_ok, port, path)


def _expect_ok(port: int, path: str) -> None:
    # HTTPConnection never uses a proxy, whatever the environment variables say.
    connection = HTTPConnection(HOST, port, timeout=_PROBE_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(_SHOWN_BYTES).decode(errors="replace")
    except HTTPException as error:
        raise NotReadyError(f"{path}: {error!r}") from error
    finally:
        connection.close()
    if response.status != 200:  # noqa: PLR2004
        raise NotReadyError(f"{path} answered {response.status}: {body}")
