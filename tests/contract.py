"""The contract as a file: `python -m tests.contract` writes `docs/openapi.json`."""

import json
from pathlib import Path

from api.main import create_app
from bootstrap.settings import Settings

FILE = Path(__file__).parents[1] / "docs" / "openapi.json"


def contract() -> str:
    """The OpenAPI description of what the running service serves at `/openapi.json`."""
    return json.dumps(create_app(Settings.model_construct()).openapi(), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(contract())
