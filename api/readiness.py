"""Whether payments can be accepted, and which dependency is missing."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

CHECK_SECONDS = 2
"""Time limit of one check; chosen, not measured."""
FRESH_SECONDS = 1.0
"""How long a report is reused: the dependencies are checked at most once a second, however many
requests come. Chosen, not measured."""

Check = Callable[[], Awaitable[object]]
WarningCheck = Callable[[], Awaitable[str | None]]
"""Returns a sentence about a problem that a person should solve; None if there is no problem."""


class Report(NamedTuple):
    is_ready: bool
    """Whether payments can be accepted."""
    dependencies: Mapping[str, str]
    """`up` or `down` by dependency name."""
    warnings: list[str]
    """Problems that a person should solve, although payments are accepted."""


class Readiness:
    """Runs a check of each dependency. The mappings have them by name.

    While a `required` one is down, no payment can be accepted.
    """

    def __init__(
        self,
        required: Mapping[str, Check],
        others: Mapping[str, Check],
        warnings: Mapping[str, WarningCheck] | None = None,
    ) -> None:
        self._required = required
        self._others = others
        self._warnings = warnings or {}
        self._report: asyncio.Task[Report] | None = None
        self._reported_at = 0.0

    async def report(self) -> Report:
        """A new report, or the last one if it is younger than `FRESH_SECONDS`."""
        if self._report is None or self._is_stale(self._report):
            self._report = asyncio.create_task(self._check_all())
        return await asyncio.shield(self._report)

    def _is_stale(self, report: asyncio.Task[Report]) -> bool:
        return report.done() and time.monotonic() >= self._reported_at + FRESH_SECONDS

    async def _check_all(self) -> Report:
        checks = {**self._required, **self._others}
        states, warnings = await asyncio.gather(
            asyncio.gather(*map(_state, checks.values())),
            asyncio.gather(*(_warning(name, check) for name, check in self._warnings.items())),
        )
        self._reported_at = time.monotonic()
        by_name = dict(zip(checks, states, strict=True))
        is_ready = all(by_name[name] == "up" for name in self._required)
        return Report(is_ready, by_name, [each for each in warnings if each])


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except Exception:  # noqa: BLE001 (whatever a client raises means that it is down)
        return "down"
    return "up"


async def _warning(name: str, check: WarningCheck) -> str | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except Exception as error:  # noqa: BLE001 (after any error, the result is unknown)
        return f"{name} cannot be checked ({type(error).__name__})."
