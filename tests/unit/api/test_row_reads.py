"""When rows of running payments are read."""

from itertools import islice

from api.row_reads import (
    CUSTOMER_READ_SECONDS,
    CUSTOMER_READS,
    EARLY_READ_SECONDS,
    FIRST_READ_SECONDS,
    LONGEST_PAUSE_SECONDS,
    CustomerReads,
    RowReads,
)


def test_a_row_is_read_late_as_long_as_workflows_end_first() -> None:
    assert list(islice(RowReads().pauses(), 2)) == [FIRST_READ_SECONDS, LONGEST_PAUSE_SECONDS]


def test_pauses_grow_up_to_the_longest() -> None:
    reads = RowReads()
    reads.note(are_useful=True)

    early = list(islice(reads.pauses(), 6))

    assert early[:3] == [EARLY_READ_SECONDS, 2 * EARLY_READ_SECONDS, 4 * EARLY_READ_SECONDS]
    assert early[-1] == LONGEST_PAUSE_SECONDS


def test_a_workflow_that_ends_first_makes_reads_late_again() -> None:
    reads = RowReads()
    for are_useful in (True, False):
        reads.note(are_useful=are_useful)

    assert next(reads.pauses()) == FIRST_READ_SECONDS


def test_where_customers_wait_rows_are_read_often_at_first() -> None:
    pauses = list(islice(CustomerReads().pauses(), CUSTOMER_READS + 2))

    assert pauses[:CUSTOMER_READS] == [CUSTOMER_READ_SECONDS] * CUSTOMER_READS
    assert pauses[CUSTOMER_READS:] == [LONGEST_PAUSE_SECONDS] * 2
