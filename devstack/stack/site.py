"""Where one stack lives: its directory, its ports, and the servers that it finds in place."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.stack.ports import HOST, Ports

SERVER_VARIABLES = {
    "postgres": "DATABASE_URL",
    "valkey": "REDIS_URL",
    "kafka": "KAFKA_BOOTSTRAP_SERVERS",
    "temporal": "TEMPORAL_ADDRESS",
}


@dataclass(frozen=True)
class Site:
    """One stack's place on the machine. `external` names servers to use instead of our own."""

    directory: Path
    ports: Ports = field(default_factory=Ports)
    external: Mapping[str, str] = field(default_factory=dict)
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def environment(self) -> dict[str, str]:
        """What the apps and the tools need to know, as environment variables."""
        return self._own() | self._foreign()

    def is_external(self, part: str) -> bool:
        return SERVER_VARIABLES.get(part) in self._foreign()

    def write_environment(self) -> Path:
        """Write `<directory>/env` for a shell to source."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "env"
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in self.environment().items())
        path.touch(mode=0o600)  # an address may hold a password
        path.write_text("".join(lines))
        return path

    def _foreign(self) -> dict[str, str]:
        own = self._own()
        # A shell that has sourced our `env` names our own servers; those are not foreign.
        foreign = {
            name: value
            for name in SERVER_VARIABLES.values()
            if (value := self.external.get(name)) and value != own[name]
        }
        if "TEMPORAL_ADDRESS" in foreign:
            foreign["TEMPORAL_NAMESPACE"] = self.external.get("TEMPORAL_NAMESPACE", "default")
            foreign["TEMPORAL_UI_URL"] = self.external.get("TEMPORAL_UI_URL", "")
        return foreign

    def _own(self) -> dict[str, str]:
        ports = self.ports
        return {
            "SHOP_URL": f"http://localhost:{ports.shop}",
            "PAYMENT_API_URL": f"http://{HOST}:{ports.api}",
            "ORDERING_URL": f"http://{HOST}:{ports.ordering}",
            "INVENTORY_URL": f"http://{HOST}:{ports.inventory}",
            "GATEWAY_URL": f"http://{HOST}:{ports.gateway}",
            "TEMPORAL_ADDRESS": f"{HOST}:{ports.temporal}",
            "TEMPORAL_NAMESPACE": "default",
            "TEMPORAL_UI_URL": f"http://{HOST}:{ports.temporal_ui}",
            "KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{ports.kafka}",
            "DATABASE_URL": f"postgresql://payments:payments@{HOST}:{ports.postgres}/payments",
            "REDIS_URL": f"redis://{HOST}:{ports.valkey}/0",
            "ENVIRONMENT": "development",  # whatever the shell at hand is for
            "API_HOST": HOST,
            "API_PORT": str(ports.api),
            "ORDERING_PORT": str(ports.ordering),
            "INVENTORY_PORT": str(ports.inventory),
            "SHOP_PORT": str(ports.shop),
            "GATEWAY_PORT": str(ports.gateway),
            "DEVSTACK_DATA": str(self.data),
            "CORS_ORIGINS": f"http://localhost:{ports.shop},http://{HOST}:{ports.shop}",
            "RATE_LIMIT": "100000/minute",
        }
