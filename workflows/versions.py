"""Changes of the workflows' steps that running payments of an earlier version do not know.

Ask `workflow.patched(...)` only where the steps differ: a payment that takes the usual path then
has no marker in its history. A payment that was begun by an earlier version goes on by its steps.
"""

SAGA_2 = "saga-2"
"""Version 0.2.0: looks up, verifies again and records a compensation before it refunds."""
