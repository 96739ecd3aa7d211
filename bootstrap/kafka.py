"""The connection to Kafka, the same for the producer, the consumers and the admin client."""

import ssl
from pathlib import Path
from typing import Any

from bootstrap.settings import Settings


def connection(settings: Settings) -> dict[str, Any]:
    """The keyword arguments that every client of aiokafka takes.

    Ends the process if the certificates cannot be read.
    """
    protocol = settings.kafka_security_protocol
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": protocol,
    }
    if protocol.endswith("SSL"):
        options["ssl_context"] = _trusting(settings.kafka_ssl_cafile)
    if protocol.startswith("SASL") and settings.kafka_sasl_password:
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_sasl_username
        options["sasl_plain_password"] = settings.kafka_sasl_password.get_secret_value()
    return options


def _trusting(authorities: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError:
        raise SystemExit("KAFKA_SSL_CAFILE: holds no certificates that can be read.") from None
