"""Sends one HTTP request to an application in this process, in the way that a server does."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.types import Message


async def exchange(app: FastAPI, scope: dict[str, Any], chunks: Sequence[bytes]) -> list[Message]:
    """The messages of the response. `chunks` are the parts of the body as they arrive."""
    parts, left = iter(chunks), len(chunks)
    sent: list[Message] = []

    async def receive() -> Message:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": next(parts, b""), "more_body": left > 0}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent
