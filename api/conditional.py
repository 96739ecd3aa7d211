"""Conditional requests: an ETag in each response, and 304 if the client has that response."""

import hashlib
from http import HTTPStatus

from fastapi import Request, Response


def not_modified_if_known(request: Request, response: Response) -> Response:
    """Add `ETag` to a successful GET; return an empty 304 if `If-None-Match` names it.

    RFC 9110 section 13.1.2. Caches may not store the response. This is for clients that poll.
    """
    if request.method != "GET" or response.status_code != HTTPStatus.OK:
        return response
    tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
    response.headers["etag"] = tag
    if tag not in request.headers.get("if-none-match", ""):
        return response
    headers = {name: response.headers[name] for name in ("etag", "cache-control")}
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
