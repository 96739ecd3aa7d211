"""Converts errors of a statement into PaymentError, by SQLSTATE, not by class or message."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from domain.errors import ErrorCode, PaymentError

REFUSED_CLASSES = ("22", "23")
"""Data exception and integrity violation: the same statement fails every time.

With every other class (PostgreSQL manual, appendix A) a retry may succeed: after a lost
connection, a deadlock, a full disk, a table that a deployment has not created yet.
"""

_DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""The driver's own errors. SQLAlchemy converts those of a statement, but not those of the requests
with which it prepares a new connection."""


@contextmanager
def as_payment_errors() -> Iterator[None]:
    """Raise PaymentError for every error of a statement or its connection.

    RECORD_REFUSED if PostgreSQL refuses the data, DATABASE_UNAVAILABLE if the outcome is unknown.
    """
    try:
        yield
    except DBAPIError as error:
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        if sqlstate.startswith(REFUSED_CLASSES):
            raise PaymentError(
                ErrorCode.RECORD_REFUSED, f"The database refused the record (SQLSTATE {sqlstate})."
            ) from error
        raise _unavailable() from error
    except (SQLAlchemyError, *_DRIVER_ERRORS, OSError, TimeoutError) as error:
        raise _unavailable() from error


def _unavailable() -> PaymentError:
    return PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "The database does not answer.")
