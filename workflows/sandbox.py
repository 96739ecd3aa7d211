"""Temporal's sandbox around workflow code, shared by the worker and by replays.

Our own packages are passed through: they are imported once, not again for every payment, which
costs 11 ms each time. `tests/unit/repository/test_determinism.py` checks that they are
deterministic.
"""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(
        "activities", "domain", "workflows"
    )
)
