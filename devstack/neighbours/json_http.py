"""Read JSON request bodies, and make JSON responses and errors."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from fastapi import Request, Response
from pydantic import ValidationError

from devstack.neighbours.json_models import JsonModel, describe_errors
from domain import exact_json

_INVALID = {"code": "INVALID_REQUEST"}
ModelT = TypeVar("ModelT", bound=JsonModel)


class ApiError(Exception):
    """Becomes the response `{"error": …}` with this status. The text says what the caller can do.

    `members` are added to the body, for programs.
    """

    def __init__(self, status: int, error: str, **members: str) -> None:
        super().__init__(error)
        self.status = status
        self.members = members


async def read_body(request: Request, model: type[ModelT]) -> ModelT:
    """Parse and validate the request's JSON body.

    Raises ApiError with 400; its text lists every validation error.
    """
    try:
        content = exact_json.loads(await request.body())
    except (ValueError, RecursionError):
        raise ApiError(
            400, "the body is not JSON: send a JSON object in UTF-8", **_INVALID
        ) from None
    try:
        return model.model_validate(content, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ApiError(400, describe_errors(error.errors()), **_INVALID) from None


def model_response(
    content: JsonModel | Sequence[JsonModel],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A JSON object for one model, a JSON array for a sequence. Amounts keep all their digits."""
    if isinstance(content, JsonModel):
        return json_response(exact_json.dumps(content.model_dump()), status, headers)
    return json_response(exact_json.dumps([each.model_dump() for each in content]), status, headers)


def json_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response whose body is JSON already."""
    return Response(body, status, headers, media_type="application/json")


def json_array(items: Iterable[bytes]) -> Response:
    """A JSON array. Each item is JSON already."""
    return json_response(b"[%b]" % b",".join(items))


def error_response(status: int, error: str, **members: str) -> Response:
    """The JSON object `{"error": …}` and the members."""
    return json_response(exact_json.dumps({"error": error, **members}), status)
