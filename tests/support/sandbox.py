"""Temporal's sandbox around workflow code, for tests. The worker runs without it.

It refuses calls that are not deterministic, such as the clock of the machine, and costs a third of
the worker's CPU. Our own packages are passed through: importing them again for every payment would
cost 11 ms each time. `STRICT` imports them inside the sandbox, too.
"""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

SANDBOX = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules(
        "activities", "domain", "workflows"
    )
)
STRICT = SandboxedWorkflowRunner()
