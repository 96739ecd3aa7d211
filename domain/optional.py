"""For members that were added to models in Temporal or in the cache: they are left out when unset.

So payments that do not use such a member have the same bytes and the same fingerprint as before.
"""

from typing import Any

from pydantic import Field


def left_out_if(unset: object) -> Any:
    """For `Annotated`: the member is not serialized while it has this value."""
    return Field(exclude_if=lambda value: value == unset)
