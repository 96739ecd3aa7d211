"""Why a payment is undone."""

from pydantic import BaseModel, ConfigDict

from domain.errors import PaymentError, RecordedCode


class Compensation(BaseModel):
    """Why a payment is undone. It is recorded before anything is refunded."""

    model_config = ConfigDict(frozen=True)

    code: RecordedCode
    message: str

    @property
    def error(self) -> PaymentError:
        return PaymentError.recorded(self.code, self.message)
