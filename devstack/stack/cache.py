"""Where a user keeps what is downloaded once for all clones of this repository."""

import os
from pathlib import Path


def directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "payment-service"
