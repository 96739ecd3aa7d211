"""The routes of the service itself: whether it is alive, and whether it accepts payments."""

from fastapi import APIRouter, Response

from api.dependencies import ReadinessDep
from api.json_route import json_response

service = APIRouter(tags=["service"])


@service.get("/health")
async def health() -> Response:
    """Whether this process is alive."""
    return json_response({"status": "Healthy", "service": "Payment"})


@service.get("/ready", responses={503: {"description": "Payments cannot be accepted."}})
async def ready(readiness: ReadinessDep) -> Response:
    """Whether payments can be accepted, the state of each dependency, and warnings."""
    report = await readiness.report()
    body = {
        "status": "ready" if report.is_ready else "not ready",
        "dependencies": report.dependencies,
        "warnings": report.warnings,
    }
    return json_response(body, status=200 if report.is_ready else 503)
