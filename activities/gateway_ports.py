"""The interfaces of payment gateways that the activities use. See `activities/ports.py`."""

from typing import Protocol, runtime_checkable

from domain.dispute import Dispute, FoundDispute
from domain.gateway import Charge, ChargeIdentity, ChargeRequest, GatewayRefund, RefundRequest


class PaymentGateway(Protocol):
    """A payment gateway with idempotency keys, simulated or real.

    Every method may raise PaymentError(GATEWAY_UNAVAILABLE): the outcome is then unknown.
    """

    async def charge(self, request: ChargeRequest) -> Charge:
        """Capture the amount once. A repeated request with the same key returns the same charge.

        Raises PaymentError(PROCESSOR_ERROR) if the gateway refuses the request. An earlier request
        with the same key may have captured even so; `void_charge` returns the final state.
        """
        ...

    async def find_charge(self, charge: ChargeIdentity) -> Charge | None:
        """The charge in its present state; None if the gateway does not know it.

        A captured charge is of exactly the amount, with nothing refunded; a refunded one is
        refunded completely. A charge that is refunded in part raises
        PaymentError(GATEWAY_UNAVAILABLE) until an operator has corrected it at the gateway.
        """
        ...

    async def void_charge(self, charge: ChargeIdentity) -> Charge:
        """Make sure that no later request captures.

        Returns the charge in its final state: voided, declined, captured or refunded. The amount is
        compared as in `find_charge`.
        """
        ...

    async def refund(self, request: RefundRequest) -> GatewayRefund:
        """Refund an amount of a captured charge once. A repeated request returns the same refund.

        Raises PaymentError(REFUND_REFUSED) if the gateway refuses this request. An earlier request
        with the same key may still refund.
        """
        ...

    async def find_refund(self, request: RefundRequest) -> GatewayRefund | None:
        """The present state of the refund, however old it is; None if the gateway has none.

        A refund may fail after it had succeeded.
        """
        ...

    async def can_still_refund(self, request: RefundRequest) -> bool:
        """Whether at least `request.amount` of the capture is not refunded yet.

        If not, the gateway will never make this refund. Raises PaymentError(GATEWAY_UNAVAILABLE).
        """
        ...


class ChargingGateway(PaymentGateway, Protocol):
    """Charges at a gateway that can look up a charge only by the gateway's own id of the charge.

    This id is called the reference.

    Therefore a charge takes three requests: `open` moves no money and returns the reference, which
    the saga records; then `charge` authorizes, and `capture` takes the money. The arguments of
    every method but `open` have the reference, and so has every `Charge` that a method returns.

    `charge` returns the charge authorized, declined, captured, or waiting for its customer. If the
    request is repeated, it returns the present state.

    `find_charge` also returns OPEN, WAITING, AUTHORIZED and DECLINED, and never None: if the
    gateway does not know the reference, it raises PaymentError(GATEWAY_UNAVAILABLE).

    `void_charge` returns only a state of `domain.gateway.ENDED`: an attempt that is open, waiting,
    authorized or declined is voided first, because it could be charged again.
    """

    async def open(self, request: ChargeRequest) -> Charge:
        """Open an attempt. No money can move. A repeated request may open another attempt.

        Raises PaymentError: PROCESSOR_ERROR or AMOUNT_TOO_LARGE if the gateway refuses it for
        good.
        """
        ...

    async def capture(self, request: ChargeRequest) -> Charge:
        """Take the money of an authorized charge, once.

        Returns the charge: captured, or already voided (an authorization may expire) or refunded.
        Raises PaymentError(PROCESSOR_ERROR) as `charge` does.
        """
        ...


@runtime_checkable
class OpeningGateway(ChargingGateway, Protocol):
    """A gateway that finds a charge only by the gateway's own id (Stripe, PayPal)."""

    async def find_dispute(self, dispute: Dispute) -> FoundDispute | None:
        """The dispute in its present state; None if its payment was not made by this service."""
        ...
