"""Chooses the gateway of a payment among those that this process can reach."""

from collections.abc import Mapping

from activities.gateway_ports import OpeningGateway, PaymentGateway
from domain.errors import ErrorCode, PaymentError


class Gateways:
    """The gateways by name. A payment keeps its gateway when the setting changes.

    So both methods may be asked for a gateway that this process has no address or key of. They
    raise PaymentError(GATEWAY_UNAVAILABLE): operators see the payment, and it goes on as soon as a
    worker can reach its gateway.
    """

    def __init__(self, by_name: Mapping[str, PaymentGateway]) -> None:
        self._by_name = by_name

    def of(self, name: str) -> PaymentGateway:
        if name not in self._by_name:
            raise _unavailable(f"No address is set for the gateway {name} of this payment.")
        return self._by_name[name]

    def opening(self, name: str) -> OpeningGateway:
        gateway = self.of(name)
        if not isinstance(gateway, OpeningGateway):
            raise _unavailable(f"The gateway {name} opens no attempts.")
        return gateway


def _unavailable(message: str) -> PaymentError:
    return PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, message)
