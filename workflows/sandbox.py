"""Temporal's sandbox around workflow code, shared by the worker and by replays.

Our own packages are passed through: loaded once instead of anew for every payment, which costs
11 ms each. That they stay deterministic is checked by `tests/unit/test_determinism.py`.
"""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(
        "activities", "domain", "workflows"
    )
)
