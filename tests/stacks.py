"""Running stacks as tests reach them: straight, without the environment of this process."""

from typing import Any

from bootstrap.settings import Settings
from devstack.stack import Stack


def settings_of(stack: Stack, **changes: Any) -> Settings:
    environment = {name.lower(): value for name, value in stack.environment().items()}
    return Settings.model_validate({**environment, **changes})
