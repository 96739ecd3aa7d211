"""The settings of the simulated neighbours, from environment variables."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class NeighbourSettings(BaseSettings):
    """One class for all neighbours, so that one environment serves them all.

    `gateway_success_rate` is from 0 to 1, `gateway_latency_ms` in milliseconds; `gateway_seed`
    chooses which charges fail when the success rate is below 1. These three also apply to the
    Stripe-shaped gateway, which accepts only the key `stripe_api_key`. Browsers reach its pages at
    `stripe_url`. It sends events to `stripe_webhook_url` if that is set, and signs them with
    `stripe_webhook_secret`. A test can make it sign with the previous secret, as in a rotation.
    """

    devstack_host: str = "127.0.0.1"
    devstack_data: Path = Path(".devstack/data")
    gateway_port: int = 5005
    stripe_port: int = 5006
    ordering_port: int = 5003
    inventory_port: int = 5002
    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    gateway_success_rate: float = Field(default=1.0, ge=0, le=1)
    gateway_latency_ms: int = Field(default=0, ge=0)
    gateway_seed: int = 0
    stripe_api_key: str = "sk_test_simulated"
    stripe_requests_per_second: int = Field(default=25, ge=0)
    stripe_url: str = ""
    stripe_webhook_url: str = ""
    stripe_webhook_secret: str = "whsec_simulated"  # noqa: S105 (no secret: it is in every copy)
    stripe_webhook_previous_secret: str = "whsec_previous"  # noqa: S105 (the same)

    def journal_path(self, name: str) -> Path:
        """The file in which the neighbour of this name keeps its state."""
        return self.devstack_data / name / "journal.jsonl"
