"""The settings of a process itself: its environment, log lines, metrics and traces."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, HttpUrl
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
    otel_exporter_otlp_endpoint: HttpUrl | None = Field(
        default=None,
        examples=["http://127.0.0.1:4318"],
        description="The collector of OpenTelemetry that gets the traces (OTLP over HTTP). If not "
        "set, there are none. The other `OTEL_*` variables of the SDK for exporting are read too.",
    )
    otel_traces_sampler_arg: float = Field(
        default=1,
        ge=0,
        le=1,
        description="The share of all traces that is kept: 1 keeps all, 0.05 one in twenty.",
    )
