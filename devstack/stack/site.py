"""Where one stack is: its directory, its ports, and the external servers that it uses."""

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.stack.ports import HOST, Ports

SERVER_VARIABLES = {
    "postgres": "DATABASE_URL",
    "valkey": "REDIS_URL",
    "kafka": "KAFKA_BOOTSTRAP_SERVERS",
    "temporal": "TEMPORAL_ADDRESS",
}
"""For each server, the environment variable with its address."""
DOUBLE_KEY = "sk_test_simulated"
"""The only API key that the double of Stripe takes. It is no secret."""
_WEBHOOK_SECRET = "whsec_simulated"  # noqa: S105 (no secret: the double and the API both know it)


@dataclass(frozen=True)
class Site:
    """The directory and the addresses of one stack.

    `external` holds environment variables. Each of SERVER_VARIABLES in it names a server that the
    stack uses instead of starting its own. `durable` and `optional`: see `Stack`.
    """

    directory: Path
    ports: Ports = field(default_factory=Ports)
    external: Mapping[str, str] = field(default_factory=dict)
    durable: bool = True
    optional: Collection[str] = ()

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def return_url(self) -> str:
        """The shop's page to which Stripe sends customers back."""
        return f"http://localhost:{self.ports.shop}/payment?payment={{paymentId}}"

    def environment(self) -> dict[str, str]:
        """The environment variables that the apps and the tests need."""
        return self._own_environment() | self._external_environment()

    def metrics_at(self, port: int) -> dict[str, str]:
        """The setting with which a process serves its metrics, if the stack has Prometheus."""
        return {"METRICS_ADDRESS": f"{HOST}:{port}"} if "prometheus" in self.optional else {}

    def is_external(self, component: str) -> bool:
        """Whether the component runs elsewhere: the stack uses it, but never starts or stops it."""
        return SERVER_VARIABLES.get(component) in self._external_environment()

    def write_environment(self) -> Path:
        """Write `<directory>/env`, a file for `source` in a shell."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "env"
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in self.environment().items())
        path.touch(mode=0o600)  # an address may hold a password
        path.write_text("".join(lines))
        return path

    def _external_environment(self) -> dict[str, str]:
        own = self._own_environment()
        # In a shell that has sourced our `env`, the variables name our own servers: not external.
        external = {
            name: value
            for name in SERVER_VARIABLES.values()
            if (value := self.external.get(name)) and value != own[name]
        }
        if "TEMPORAL_ADDRESS" in external:
            external["TEMPORAL_NAMESPACE"] = self.external.get("TEMPORAL_NAMESPACE", "default")
            external["TEMPORAL_UI_URL"] = self.external.get("TEMPORAL_UI_URL", "")
        return external

    def _own_environment(self) -> dict[str, str]:
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
            "ENVIRONMENT": "development",  # even in a shell that is set up for production
            "API_HOST": HOST,
            "API_PORT": str(ports.api),
            "ORDERING_PORT": str(ports.ordering),
            "INVENTORY_PORT": str(ports.inventory),
            "SHOP_PORT": str(ports.shop),
            "GATEWAY_PORT": str(ports.gateway),
            "DEVSTACK_DATA": str(self.data),
            "CORS_ORIGINS": f"http://localhost:{ports.shop},http://{HOST}:{ports.shop}",
            "RATE_LIMIT": "100000/minute",  # more than tests and benchmarks send
            **(self._stripe_environment() if "stripe" in self.optional else {}),
        }

    def _stripe_environment(self) -> dict[str, str]:
        return {
            "STRIPE_URL": f"http://{HOST}:{self.ports.stripe}",
            "STRIPE_PORT": str(self.ports.stripe),
            "STRIPE_API_KEY": DOUBLE_KEY,
            "STRIPE_WEBHOOK_URL": f"http://{HOST}:{self.ports.api}/webhooks/stripe",
            "STRIPE_WEBHOOK_SECRET": _WEBHOOK_SECRET,
            "STRIPE_WEBHOOK_SECRETS": _WEBHOOK_SECRET,
            "PAYMENT_RETURN_URL": self.return_url,
        }
