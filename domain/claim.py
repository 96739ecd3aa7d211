"""The payment that holds an order."""

from typing import Self

from domain.payment import Payment


class Claim(Payment):
    """The payment that holds an order, as it is recorded."""

    is_new: bool | None = None
    """False if the row existed before: an earlier run or try may have gone on and charged.

    None in a response of a worker of version 0.1.0."""

    @classmethod
    def of(cls, payment: Payment, *, is_new: bool) -> Self:
        return cls(**dict(payment), is_new=is_new)

    @property
    def payment(self) -> Payment:
        return Payment(**{name: getattr(self, name) for name in Payment.model_fields})
