"""What a failed statement means: by its SQLSTATE, never by its class or its words."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from domain.errors import ErrorCode, PaymentError

REFUSED_CLASSES = ("22", "23")
"""Data exception and integrity violation: the same statement will never be accepted.

Everything else (PostgreSQL manual, appendix A) may pass: a lost connection, a deadlock, a full
disk, a table that a deployment is about to create.
"""


@contextmanager
def as_payment_errors() -> Iterator[None]:
    """Raise PaymentError for whatever goes wrong between here and PostgreSQL."""
    try:
        yield
    except DBAPIError as error:
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        if sqlstate.startswith(REFUSED_CLASSES):
            raise PaymentError(
                ErrorCode.RECORD_REFUSED, f"The database refused the record (SQLSTATE {sqlstate})."
            ) from error
        raise _unavailable() from error
    except (SQLAlchemyError, OSError, TimeoutError) as error:
        raise _unavailable() from error


def _unavailable() -> PaymentError:
    return PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "The database does not answer.")
