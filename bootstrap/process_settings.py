"""The settings of a process itself: its environment, its log lines and its metrics."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from bootstrap import forms


class ProcessSettings(BaseSettings):
    """The first part of `Settings`, because the checks of the others need `environment`."""

    environment: Literal["development", "production"] = Field(
        default="development",
        description="`production` refuses to start with unsafe settings; see below.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="The lowest level of the log lines that are written."
    )
    metrics_address: Annotated[str | None, AfterValidator(forms.listening_address)] = Field(
        default=None,
        examples=["127.0.0.1:9464"],
        description="Where the process serves its metrics to Prometheus, as `host:port` with an IP "
        "address. If not set, nothing is counted. Whoever can connect there can read them.",
    )
