"""Run the main coroutine of a process, and end the process when it has returned."""

import logging
import os
import sys
import traceback
from collections.abc import Coroutine
from typing import Any, NoReturn

import uvloop


def run(main: Coroutine[Any, Any, None]) -> NoReturn:
    """Run `main` and end the process: with 0, or with 1 after an error.

    The message of a SystemExit goes to stderr. The interpreter is not finalized, because CPython
    aborts the process if a thread of Temporal's SDK calls into Python at that time.
    """
    code = _exit_code(main)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _exit_code(main: Coroutine[Any, Any, None]) -> int:
    try:
        uvloop.run(main)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 (the interpreter would do the same)
        traceback.print_exc()
        return 1
    return 0
