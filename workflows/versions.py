"""Versions of the workflows' steps. A payment that an earlier version began keeps its steps.

Call `workflow.patched(...)` only where the steps differ, so that a usual payment has no marker in
its history.
"""

SAGA_2 = "saga-2"
"""Version 0.2.0: looks up, verifies again and records a compensation before it refunds."""

SAGA_3 = "saga-3"
"""Version 0.3.0: tries to record and publish a success inside the workflow task first."""

SAGA_4 = "saga-4"
"""After 0.3.0: tries to record and publish a success in one step inside the workflow task first."""
