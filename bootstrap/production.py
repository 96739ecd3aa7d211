"""Which settings production refuses.

It refuses unencrypted connections to other machines, passwords that everybody knows, callers
without authentication, and gateways that take no money.

A URL is checked by its type, so that the URL of a new setting is checked too. Other settings are
checked by their names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import unquote

from limits import parse
from pydantic import HttpUrl, PostgresDsn, RedisDsn, SecretStr
from temporalio.envconfig import ClientConfig

from bootstrap import forms

KNOWN_PASSWORDS = {"", "payments", "postgres", "password"}
"""No password, the ones in `docker-compose.yml` and the development stack, and that of examples."""
KNOWN_WEBHOOK_SECRETS = {"whsec_simulated"}
"""The signing secret of webhooks in the development stack."""
SIMULATOR_URL = "http://gateway:5005"
"""The default of GATEWAY_URL. Production accepts it if GATEWAY is another gateway."""
ENCRYPTED_MODES = {"require", "verify-ca", "verify-full"}
ENCRYPTED_PROTOCOLS = {"SSL", "SASL_SSL"}
MAX_PER_SECOND = 1000
"""Highest rate limit for one caller: above what a process can serve. Chosen, not measured."""
MIN_PREFIX_BITS, MIN_PREFIX_BITS_6 = 8, 16
"""Shortest network prefix that proxies may have, for IPv4 and IPv6. 8 is that of 10.0.0.0/8, the
widest private network of IPv4; 16 is chosen, not measured."""
UNIQUE_LOCAL, MAPPED = IPv6Network("fc00::/7"), IPv6Network("::ffff:0:0/96")
"""The private addresses of IPv6 (RFC 4193), and all of IPv4 as IPv6 writes it (RFC 4291)."""

Rule = Callable[[Any, Mapping[str, Any]], Iterable[str]]


def objections(name: str, value: Any, earlier: Mapping[str, Any]) -> str:
    """Return why this value is not allowed in production, and what to do; empty if it is allowed.

    The text never contains the value. `earlier` has the settings that are declared before this one.
    """
    rule = RULES.get(name) or RULES.get(type(value), _no_objection)
    return "; ".join(rule(value, earlier))


def objection_to_brokers(protocol: str, hosts: Iterable[str]) -> str:
    """Why production refuses this protocol for brokers at these hosts. Empty if it accepts it.

    Brokers may be on other machines even if all of `KAFKA_BOOTSTRAP_SERVERS` are on this one.
    """
    if protocol in ENCRYPTED_PROTOCOLS or all(map(_is_local, hosts)):
        return ""
    return (
        f"KAFKA_SECURITY_PROTOCOL: is {protocol}, and brokers say that they are on other machines; "
        "production refuses that (use SSL or SASL_SSL, or let them advertise this machine)."
    )


def _no_objection(_: Any, __: Mapping[str, Any]) -> Iterable[str]:
    return ()


def _postgresql(url: PostgresDsn, _: Mapping[str, Any]) -> Iterator[str]:
    hosts = url.hosts()
    yield from _password(hosts[0]["password"])
    mode = dict(url.query_params()).get("sslmode")
    if mode not in ENCRYPTED_MODES and not all(_is_local(host["host"]) for host in hosts):
        yield "may be unencrypted (add ?sslmode=verify-full&sslrootcert=<CA file>)"


def _redis(url: RedisDsn, _: Mapping[str, Any]) -> Iterator[str]:
    yield from _password(url.password)
    if _is_local(url.host):
        return
    if url.scheme != "rediss":
        yield "is not encrypted (use rediss://)"
    parameters = [(name, value.lower()) for name, value in url.query_params()]
    if any(name == "ssl_cert_reqs" and value != "required" for name, value in parameters):
        yield "accepts any certificate (leave out ssl_cert_reqs)"
    if any(name == "ssl_check_hostname" and value != "true" for name, value in parameters):
        yield "accepts the certificate of any host (leave out ssl_check_hostname)"


def _http(url: HttpUrl, _: Mapping[str, Any]) -> Iterator[str]:
    if url.scheme != "https" and not _is_local(url.host):
        yield "is not encrypted (use https://)"


def _gateway(name: str, _: Mapping[str, Any]) -> Iterator[str]:
    if name == "simulator":
        yield "takes no money (set GATEWAY=stripe)"


def _gateway_url(url: HttpUrl, earlier: Mapping[str, Any]) -> Iterable[str]:
    is_unused = earlier.get("gateway") == "stripe" and url == HttpUrl(SIMULATOR_URL)
    return () if is_unused else _http(url, earlier)


def _stripe_key(key: SecretStr | None, _: Mapping[str, Any]) -> Iterator[str]:
    if key is not None and not forms.is_live(key):
        yield "is a key of Stripe's test mode, which takes no money (use one with _live_)"


def _webhook_secrets(secrets: Iterable[SecretStr], _: Mapping[str, Any]) -> Iterator[str]:
    if any(each.get_secret_value() in KNOWN_WEBHOOK_SECRETS for each in secrets):
        yield "has a secret that everybody knows (use those of your endpoint)"


def _return_url(url: str | None, _: Mapping[str, Any]) -> Iterator[str]:
    if url is not None and not url.startswith("https://"):
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
        yield "comes with TEMPORAL_* variables or files that cannot be read (correct them)"
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


def _proxies(networks: str, _: Mapping[str, Any]) -> Iterator[str]:
    if any(_is_wide(ip_network(each.strip())) for each in networks.split(",")):
        yield "is so wide that callers may be in it (name only the proxies' networks)"


def _rate(rate: str, _: Mapping[str, Any]) -> Iterator[str]:
    limit = parse(rate)
    if limit.amount > MAX_PER_SECOND * limit.get_expiry():
        yield f"is too high to limit anybody (at most {MAX_PER_SECOND}/second)"


def _level(level: str, _: Mapping[str, Any]) -> Iterator[str]:
    if level == "DEBUG":
        yield "may log secrets (use INFO)"


RULES: Mapping[str | type, Rule] = {
    PostgresDsn: _postgresql,
    RedisDsn: _redis,
    HttpUrl: _http,
    "auth_issuer": _issuer,
    "cors_origins": _origins,
    "gateway": _gateway,
    "gateway_url": _gateway_url,
    "kafka_sasl_password": _kafka_password,
    "kafka_security_protocol": _kafka,
    "log_level": _level,
    "payment_return_url": _return_url,
    "rate_limit": _rate,
    "stripe_api_key": _stripe_key,
    "stripe_webhook_secrets": _webhook_secrets,
    "temporal_address": _temporal,
    "trusted_proxies": _proxies,
}


def _password(password: str | None) -> Iterator[str]:
    if unquote(password or "") in KNOWN_PASSWORDS:
        yield "has no password or one that everybody knows (set your own)"


def _is_wide(network: IPv4Network | IPv6Network) -> bool:
    """Whether callers may have addresses in this network too. A private network may be wide."""
    if isinstance(network, IPv4Network):
        return network.prefixlen < MIN_PREFIX_BITS
    if network.subnet_of(MAPPED):
        return network.prefixlen - MAPPED.prefixlen < MIN_PREFIX_BITS
    return network.prefixlen < MIN_PREFIX_BITS_6 and not network.subnet_of(UNIQUE_LOCAL)


def _is_safe_origin(origin: str) -> bool:
    scheme, _, server = origin.partition("://")
    return scheme == "https" or (scheme == "http" and _is_local_server(server))


def _is_local_server(address: str) -> bool:
    """Whether `host` or `host:port` is on this machine."""
    host = address.strip()
    is_bare = ":" not in host or host.endswith("]")
    return _is_local(host if is_bare else host.rpartition(":")[0])


def _is_local(host: str | None) -> bool:
    """Whether this host is on this machine: a sidecar or a Unix socket."""
    name = unquote(host or "")
    return name.startswith("/") or forms.is_loopback(name)
