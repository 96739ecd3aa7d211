"""Reads `DATABASE_URL` as libpq does, and refuses what the driver, asyncpg, cannot do."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

SSL_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
MAX_CONNECT_SECONDS = 60
"""The largest `connect_timeout`. Chosen, not measured."""

KNOWN = frozenset(
    """host port dbname user password passfile service application_name options krbsrvname gsslib
    sslmode sslcert sslkey sslrootcert sslcrl sslpassword sslnegotiation ssl_min_protocol_version
    ssl_max_protocol_version target_session_attrs""".split()  # noqa: SIM905 (easier to read than quoted names)
)
"""Parameters that the driver reads as libpq does."""

REMOVED = frozenset(
    {"fallback_application_name", "tcp_user_timeout", "keepalives"}
    | {f"keepalives_{each}" for each in ("idle", "interval", "count")}
)
"""Parameters that are accepted and not passed on. They find dead connections, and every statement
has a time limit for that."""

ACCEPTED_VALUES: Mapping[str, frozenset[str]] = {
    "sslmode": SSL_MODES,
    "target_session_attrs": frozenset({"any", "read-write", "primary"}),
    "channel_binding": frozenset({"prefer", "disable"}),
    "gssencmode": frozenset({"prefer", "disable"}),
    "load_balance_hosts": frozenset({"disable"}),
    "pgbouncer": frozenset({"true"}),
    "client_encoding": frozenset({"UTF8", "utf8", "auto"}),
    "connect_timeout": frozenset(map(str, range(1, MAX_CONNECT_SECONDS + 1))),
}
"""Parameters with their accepted values. With other values, the driver cannot do what they ask for,
or a service that writes cannot work."""


class DatabaseUrl(NamedTuple):
    """The address of PostgreSQL: one URL per host, which the driver reads as libpq does."""

    hosts: tuple[str, ...]
    connect_seconds: int | None
    application_name: str | None
    is_pooled: bool
    """`pgbouncer=true`, as in Prisma's URLs: each transaction may have another session."""


def read_database_url(url: str) -> DatabaseUrl:
    """Read a URL. Raises ValueError if it would not work. The error never has a parameter's value.

    The message completes the sentence "DATABASE_URL must be ...".
    """
    parts = urlsplit(url)
    parameters = _parameters(parts.query)
    owner, at, hosts = parts.netloc.rpartition("@")
    _check(parameters, has_host=bool(hosts))
    netlocs = [f"{owner}{at}{host}" for host in hosts.split(",")]
    kept = {name: value for name, value in parameters.items() if name in KNOWN}
    if len(netlocs) > 1:
        kept.setdefault("target_session_attrs", "read-write")  # whichever is the primary
    query = urlencode(kept, quote_via=quote)
    seconds = parameters.get("connect_timeout")
    return DatabaseUrl(
        hosts=tuple(urlunsplit((parts.scheme, each, parts.path, query, "")) for each in netlocs),
        connect_seconds=int(seconds) if seconds else None,
        application_name=parameters.get("application_name"),
        is_pooled="pgbouncer" in parameters,
    )


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ValueError("one whose parameters are all of the form name=value") from None
    for name, value in pairs:
        if name in parameters:
            raise ValueError(f"one that gives the parameter {name} once")
        parameters[name] = value
    return parameters


def _check(parameters: Mapping[str, str], *, has_host: bool) -> None:
    for name, value in parameters.items():
        if name not in KNOWN | REMOVED | ACCEPTED_VALUES.keys():
            raise ValueError(
                f"one without {_shown(name)}, which the driver does not know"
                " (settings of PostgreSQL go into options=-c%20name=value)"
            )
        if name in ACCEPTED_VALUES and value not in ACCEPTED_VALUES[name]:
            raise ValueError(
                f"one whose parameter {name} is {_choice(ACCEPTED_VALUES[name])}, or without"
            )
        if name in {"host", "port"} and has_host:
            raise ValueError(f"one that names its host and port once, not as parameter {name} too")
        if name == "host" and "," in value:
            raise ValueError("one that names several hosts between // and /, with their ports")
    if parameters.get("sslrootcert") == "system":
        raise ValueError(
            "one whose parameter sslrootcert is a file, such as /etc/ssl/certs/ca-certificates.crt"
        )


def _choice(values: frozenset[str]) -> str:
    if len(values) == MAX_CONNECT_SECONDS:
        return f"a number of seconds from 1 to {MAX_CONNECT_SECONDS}"
    return " or ".join(sorted(values))


def _shown(name: str) -> str:
    """Name a parameter in a message. Other text is not shown: it may be half of a password."""
    is_name = name.isidentifier() and name.islower()
    return f"the parameter {name}" if is_name else "a parameter that is not a name"
