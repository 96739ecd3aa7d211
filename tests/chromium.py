"""The Chromium of the browser tests: found on this machine, or installed by `make browser`."""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ABSENT = "there is no Chromium here: `make browser` installs it"
BY_HAND = f"Install Chromium or Google Chrome, so that the PATH has one of {', '.join(NAMES)}."


def find() -> str | None:
    """The first browser on the PATH that runs; on Ubuntu one may only point to a snap."""
    return next((path for name in NAMES if (path := shutil.which(name)) and _runs(path)), None)


def _runs(path: str) -> bool:
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def install() -> None:
    """Ends the process with a sentence that says what to do if it cannot."""
    apt = shutil.which("apt-get")
    if apt is None:
        sys.exit(f"There is no apt-get here. {BY_HAND}")
    for arguments in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
        command = [*_as_root(), apt, *arguments]
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"`{' '.join(command)}` has failed. {BY_HAND}")


def _as_root() -> list[str]:
    if os.geteuid() == 0:
        return []
    if sudo := shutil.which("sudo"):
        return [sudo]
    sys.exit(f"Only root may install packages, and there is no sudo here. {BY_HAND}")


def main() -> None:
    if find() is None:
        install()
    browser = find()
    if browser is None:
        sys.exit(f"What was installed does not run. {BY_HAND}")
    print(browser)


if __name__ == "__main__":
    main()
