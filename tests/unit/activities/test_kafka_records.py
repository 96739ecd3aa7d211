"""The audit reads records of Kafka, and no content of a record makes reading fail."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from activities.adapters.kafka_records import read_record
from domain import exact_json


@given(
    st.none() | st.binary(),
    st.none() | st.binary(),
    st.lists(st.tuples(st.text() | st.just("ce_id"), st.none() | st.binary())),
)
def test_no_record_makes_reading_fail(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    found = SimpleNamespace(key=key, value=value, headers=headers, topic="payment-failed")

    record = read_record(found)

    assert record.value == (value or b"")
    exact_json.dumps([record.id, record.key])
