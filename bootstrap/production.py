"""What production refuses.

Plaintext that leaves the machine, passwords that everybody knows, callers who need not say who
they are.

A URL is judged by its type, so that a new setting is judged too; other settings by their name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

from pydantic import HttpUrl, PostgresDsn, RedisDsn, SecretStr
from temporalio.envconfig import ClientConfig

KNOWN_PASSWORDS = {"", "payments", "postgres", "password"}
"""None at all, those of `docker-compose.yml` and the development stack, that of our examples."""
ENCRYPTED_MODES = {"require", "verify-ca", "verify-full"}
ENCRYPTED_PROTOCOLS = {"SSL", "SASL_SSL"}

Rule = Callable[[Any, Mapping[str, Any]], Iterable[str]]


def objections(name: str, value: Any, earlier: Mapping[str, Any]) -> str:
    """Why production does not start with this value and what to do, never the value itself.

    Empty if there is nothing to object to. `earlier` holds the settings declared before this one.
    """
    rule = RULES.get(name) or RULES.get(type(value), _no_objection)
    return "; ".join(rule(value, earlier))


def _no_objection(_: Any, __: Mapping[str, Any]) -> Iterable[str]:
    return ()


def _postgresql(url: PostgresDsn, _: Mapping[str, Any]) -> Iterator[str]:
    hosts = url.hosts()
    yield from _password(hosts[0]["password"])
    mode = dict(url.query_params()).get("sslmode")
    if mode not in ENCRYPTED_MODES and not all(_is_local(host["host"]) for host in hosts):
        yield "may go unencrypted (add ?sslmode=verify-full&sslrootcert=<CA file>)"


def _redis(url: RedisDsn, _: Mapping[str, Any]) -> Iterator[str]:
    yield from _password(url.password)
    if url.scheme != "rediss" and not _is_local(url.host):
        yield "is not encrypted (use rediss://)"


def _http(url: HttpUrl, _: Mapping[str, Any]) -> Iterator[str]:
    if url.scheme != "https" and not _is_local(url.host):
        yield "is not encrypted (use https://)"


def _kafka(protocol: str, earlier: Mapping[str, Any]) -> Iterator[str]:
    servers = earlier["kafka_bootstrap_servers"].split(",")
    if protocol not in ENCRYPTED_PROTOCOLS and not all(map(_is_local_server, servers)):
        yield "is not encrypted (use SSL or SASL_SSL)"


def _kafka_password(password: SecretStr | None, earlier: Mapping[str, Any]) -> Iterator[str]:
    if password and earlier.get("kafka_security_protocol", "").startswith("SASL"):
        yield from _password(password.get_secret_value())


def _temporal(address: str, _: Mapping[str, Any]) -> Iterator[str]:
    try:
        is_encrypted = bool(ClientConfig.load_client_connect_config().get("tls"))
    except (RuntimeError, OSError, ValueError):
        yield "has TEMPORAL_* variables or files beside it that cannot be read (mend them)"
        return
    if not is_encrypted and not _is_local_server(address):
        yield "is not encrypted (set TEMPORAL_TLS=true, TEMPORAL_TLS_* or TEMPORAL_API_KEY)"


def _issuer(url: HttpUrl | None, earlier: Mapping[str, Any]) -> Iterable[str]:
    if url is None:
        return ["is not set, so every caller would be trusted (set the URL of your issuer)"]
    return _http(url, earlier)


def _origins(origins: Iterable[str], _: Mapping[str, Any]) -> Iterator[str]:
    if not all(map(_is_safe_origin, origins)):
        yield "allows * or an origin without https:// (name each, such as https://shop.example)"


def _level(level: str, _: Mapping[str, Any]) -> Iterator[str]:
    if level == "DEBUG":
        yield "may write what nobody should read (use INFO)"


RULES: Mapping[str | type, Rule] = {
    PostgresDsn: _postgresql,
    RedisDsn: _redis,
    HttpUrl: _http,
    "auth_issuer": _issuer,
    "cors_origins": _origins,
    "kafka_sasl_password": _kafka_password,
    "kafka_security_protocol": _kafka,
    "log_level": _level,
    "temporal_address": _temporal,
}


def _password(password: str | None) -> Iterator[str]:
    if unquote(password or "") in KNOWN_PASSWORDS:
        yield "has no password or one that everybody knows (set your own)"


def _is_safe_origin(origin: str) -> bool:
    scheme, _, server = origin.partition("://")
    return scheme == "https" or (scheme == "http" and _is_local_server(server))


def _is_local_server(address: str) -> bool:
    """Whether `host` or `host:port` is on this machine."""
    host = address.strip()
    is_bare = ":" not in host or host.endswith("]")
    return _is_local(host if is_bare else host.rpartition(":")[0])


def _is_local(host: str | None) -> bool:
    """Whether what is sent there stays on this machine: a sidecar or a Unix socket."""
    name = unquote(host or "").strip("[]")
    if name == "localhost" or name.startswith("/"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
