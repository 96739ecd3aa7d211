"""The directory for downloads that all clones of this repository share."""

import os
from pathlib import Path


def directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "payment-service"
