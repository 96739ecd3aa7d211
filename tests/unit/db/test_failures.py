"""The SQLSTATE alone decides what a failed statement means."""

from unittest.mock import Mock

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from db.engine import _discard_if_unusable
from db.failures import as_payment_errors
from domain.errors import ErrorCode, PaymentError


class DriverError(Exception):
    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("what was written")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("sqlstate", "code"),
    [
        ("22021", ErrorCode.RECORD_REFUSED),  # character not in repertoire
        ("23514", ErrorCode.RECORD_REFUSED),  # check violation
        ("23505", ErrorCode.RECORD_REFUSED),  # unique violation
        ("40001", ErrorCode.DATABASE_UNAVAILABLE),  # serialization failure
        ("40P01", ErrorCode.DATABASE_UNAVAILABLE),  # deadlock
        ("42P01", ErrorCode.DATABASE_UNAVAILABLE),  # undefined table
        ("53100", ErrorCode.DATABASE_UNAVAILABLE),  # disk full
        ("57014", ErrorCode.DATABASE_UNAVAILABLE),  # statement timeout
        ("57P01", ErrorCode.DATABASE_UNAVAILABLE),  # admin shutdown
        ("08006", ErrorCode.DATABASE_UNAVAILABLE),  # connection failure
        ("25006", ErrorCode.DATABASE_UNAVAILABLE),  # read only
        (None, ErrorCode.DATABASE_UNAVAILABLE),
    ],
)
def test_only_data_that_is_wrong_is_refused(sqlstate: str | None, code: ErrorCode) -> None:
    with pytest.raises(PaymentError) as caught, as_payment_errors():
        raise DBAPIError("INSERT", {}, DriverError(sqlstate))
    assert caught.value.code is code
    assert "what was written" not in caught.value.message


@pytest.mark.parametrize(
    "error",
    [
        SQLAlchemyError("pool"),
        ConnectionRefusedError(),
        TimeoutError(),
        OSError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("unexpected response"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    ],
)
def test_a_database_that_is_not_there_is_unavailable(error: Exception) -> None:
    with pytest.raises(PaymentError) as caught, as_payment_errors():
        raise error
    assert caught.value.code is ErrorCode.DATABASE_UNAVAILABLE


@pytest.mark.parametrize(
    ("sqlstate", "leaves"),
    [
        ("25006", True),  # read only, after a failover
        ("57P01", True),  # admin shutdown
        ("57P02", True),  # crash shutdown
        ("57P03", True),  # cannot connect now
        ("08006", True),  # connection failure
        ("57014", False),  # statement timeout
        ("40001", False),
        ("23505", False),
        (None, False),
    ],
)
def test_a_session_that_can_serve_nobody_leaves_the_pool(
    sqlstate: str | None, leaves: bool
) -> None:
    context = Mock(original_exception=DriverError(sqlstate), is_disconnect=False)

    _discard_if_unusable(context)

    assert context.is_disconnect is leaves


def test_a_bug_is_no_outage() -> None:
    with pytest.raises(ZeroDivisionError), as_payment_errors():
        raise ZeroDivisionError
