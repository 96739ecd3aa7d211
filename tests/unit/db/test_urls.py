"""`DATABASE_URL`: parameters of libpq work, or are refused with their name."""

import pytest

from db.urls import read_database_url

URL = "postgresql://payments:hunter2@db.internal:5432/payments"


@pytest.mark.parametrize(
    "query",
    [
        "sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem",
        "passfile=%2Frun%2Fpgpass",
        "options=-c%20search_path%3Dpublic",
        "target_session_attrs=primary",
        "application_name=payments-eu",
    ],
)
def test_what_the_driver_knows_is_left_to_it(query: str) -> None:
    assert read_database_url(f"{URL}?{query}").hosts == (f"{URL}?{query}",)


@pytest.mark.parametrize(
    "query",
    [
        "channel_binding=prefer",
        "gssencmode=disable",
        "keepalives=1&keepalives_idle=30&keepalives_interval=10&keepalives_count=3",
        "tcp_user_timeout=5000",
        "load_balance_hosts=disable",
        "client_encoding=UTF8",
        "connect_timeout=10",
    ],
)
def test_what_the_driver_does_not_know_is_kept_from_it(query: str) -> None:
    """The driver would send it to PostgreSQL, which refuses the session."""
    assert read_database_url(f"{URL}?{query}&sslmode=require").hosts == (f"{URL}?sslmode=require",)


def test_the_time_to_connect_and_the_name_are_the_urls() -> None:
    read = read_database_url(f"{URL}?connect_timeout=10&application_name=eu")

    assert (read.connect_seconds, read.application_name) == (10, "eu")
    assert read_database_url(URL).connect_seconds is None


def test_of_several_hosts_the_one_that_writes_is_meant() -> None:
    url = "postgresql://payments:hunter2@one:5432,[::1]:5433/payments?sslmode=require"

    query = "sslmode=require&target_session_attrs=read-write"
    assert read_database_url(url).hosts == (
        f"postgresql://payments:hunter2@one:5432/payments?{query}",
        f"postgresql://payments:hunter2@[::1]:5433/payments?{query}",
    )


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("channel_binding=require", "channel_binding"),
        ("gssencmode=require", "gssencmode"),
        ("load_balance_hosts=random", "load_balance_hosts"),
        ("target_session_attrs=standby", "target_session_attrs"),
        ("target_session_attrs=prefer-standby", "target_session_attrs"),
        ("sslmode=hunter2", "sslmode"),
        ("sslrootcert=system", "sslrootcert"),
        ("connect_timeout=0", "connect_timeout"),
        ("connect_timeout=1.5", "connect_timeout"),
        ("client_encoding=LATIN1", "client_encoding"),
        ("statement_timeout=60000", "statement_timeout"),
        ("require_auth=scram-sha-256", "require_auth"),
        ("replication=true", "replication"),
        ("sslmode=require&sslmode=disable", "sslmode"),
        ("host=elsewhere", "host"),
        ("port=1", "port"),
        ("hunter2", "name=value"),
        ("Hunter2=hunter2", "not a name"),
    ],
)
def test_what_would_not_work_is_refused_by_name(query: str, name: str) -> None:
    with pytest.raises(ValueError, match=name) as refused:
        read_database_url(f"{URL}?{query}")

    assert "hunter2" not in str(refused.value).lower()


def test_hosts_may_be_a_directory_of_sockets() -> None:
    url = "postgresql://payments@/payments?host=%2Frun%2Fpostgresql"

    assert read_database_url(url).hosts == (url,)
    with pytest.raises(ValueError, match="several hosts"):
        read_database_url("postgresql://payments@/payments?host=one%2Ctwo")
