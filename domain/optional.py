"""Members that were added to what is sent to Temporal or cached: they are left out when unset.

So payments that do not use them have the same bytes as before, and the same fingerprint.
"""

from typing import Any

from pydantic import Field


def left_out_if(unset: object) -> Any:
    """For `Annotated`: the member is not serialized while it has this value."""
    return Field(exclude_if=lambda value: value == unset)
