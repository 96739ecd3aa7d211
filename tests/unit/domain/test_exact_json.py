"""JSON in and out without a float on the way."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import exact_json


@pytest.mark.parametrize(
    "number",
    [
        *("150.00", "10000000000000000.01", "1e400", "1E+3", "-0", "9" * 5_000),
        *("NaN", "Infinity", "-Infinity"),
    ],
    ids=lambda number: number[:20],
)
def test_a_number_is_read_as_it_was_written(number: str) -> None:
    assert exact_json.loads(f'{{"amount": [{number}]}}') == {"amount": [number]}


def test_what_is_no_number_is_read_as_usual() -> None:
    assert exact_json.loads(b'[true, null, "1", "\xc3\xa9"]') == [True, None, "1", "é"]


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"a": {"b": 1, "c": 2, "b": 1}}]'])
def test_a_member_that_is_named_twice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="names a member twice"):
        exact_json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b" ", b"{", b"[1,]", b"'a'", b"01", b"{} {}", b"\xff", b"\xef\xbb\xbf{}"),
        *(
            "{}".encode("utf-16"),
            '"é"'.encode("latin-1"),
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"[" * 500 + b"]" * 500,
            b'"\\ud800"',
            b'{"\\udfff":1}',
        ),
    ],
    ids=lambda text: repr(text)[2:12],
)
def test_what_is_not_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (that is what is promised)
        exact_json.loads(text)


@pytest.mark.parametrize("number", ["150.00", "150", "0.001", "10000000000000000.01", "-0.10"])
def test_a_decimal_is_written_with_its_digits(number: str) -> None:
    assert exact_json.dumps({"amount": Decimal(number)}) == f'{{"amount":{number}}}'.encode()


@given(st.decimals(min_value=-(10**20), max_value=10**20, places=4))
def test_every_decimal_survives_the_round_trip(number: Decimal) -> None:
    assert Decimal(exact_json.loads(exact_json.dumps(number))) == number


def test_a_decimal_is_written_without_an_exponent() -> None:
    assert exact_json.dumps(Decimal("1E+3")) == b"1000"


def test_json_is_compact_and_times_are_utc() -> None:
    value = {"at": datetime(2026, 11, 23, 12, tzinfo=UTC), "id": UUID(int=1), "name": "é"}

    assert exact_json.dumps(value).decode() == (
        '{"at":"2026-11-23T12:00:00Z","id":"00000000-0000-0000-0000-000000000001","name":"é"}'
    )


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError):
        exact_json.dumps(object())
