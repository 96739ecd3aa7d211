"""Log why Temporal refuses requests: once a minute for each kind of refusal, not every time."""

import logging
import time

from temporalio.service import RPCError

QUIET_SECONDS = 60.0
"""Shortest time between two log lines of the same kind. Chosen, not measured."""

log = logging.getLogger(__name__)


class Refusals:
    """Logs refusals. Their kind is the gRPC status; Temporal's message names what is wrong."""

    def __init__(self) -> None:
        self._logged_at: dict[str, float] = {}

    def note(self, error: RPCError) -> None:
        kind, now = error.status.name, time.monotonic()
        if now >= self._logged_at.get(kind, float("-inf")) + QUIET_SECONDS:
            self._logged_at[kind] = now
            log.warning("Temporal refuses: %s (%s)", error.message, kind)
