"""Chooses the gateway of a payment from those that this process is configured for."""

from collections.abc import Mapping

from activities.gateway_ports import OpeningGateway, PaymentGateway
from domain.errors import ErrorCode, PaymentError
from domain.gateways import at_gateway


class Gateways:
    """The gateways by name. A payment keeps its gateway when the setting changes.

    Therefore a payment may need a gateway for which this process has no address or key. Then both
    methods raise PaymentError(GATEWAY_UNAVAILABLE): operators see the payment, and it continues
    when a worker can reach its gateway.
    """

    def __init__(self, by_name: Mapping[str, PaymentGateway]) -> None:
        self._by_name = by_name

    def of(self, name: str) -> PaymentGateway:
        return at_gateway(self._by_name, name)

    def opening(self, name: str) -> OpeningGateway:
        gateway = self.of(name)
        if not isinstance(gateway, OpeningGateway):
            raise PaymentError(
                ErrorCode.GATEWAY_UNAVAILABLE, f"The gateway {name} opens no attempts."
            )
        return gateway
