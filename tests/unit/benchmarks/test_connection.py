"""The load generator's connection: one response for each request, also when a caller gives up."""

import asyncio
from http import HTTPStatus

import pytest

from benchmarks.connection import Answer, Connection

REFUSED = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}"


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def abort(self) -> None:
        self.is_aborted = True


@pytest.fixture
def transport() -> Transport:
    return Transport()


@pytest.fixture
def connection(transport: Transport) -> Connection:
    connection = Connection()
    connection.connection_made(transport)
    return connection


async def test_a_response_in_pieces_is_read(connection: Connection, transport: Transport) -> None:
    posting = asyncio.ensure_future(connection.post("/payments", b"{}"))
    await asyncio.sleep(0)
    for byte in REFUSED:
        connection.data_received(bytes([byte]))

    assert await posting == Answer(HTTPStatus.SERVICE_UNAVAILABLE, says_when_to_come_back=True)
    assert transport.written.startswith(b"POST /payments HTTP/1.1\r\n")
    assert transport.written.endswith(b"Content-Length: 2\r\n\r\n{}")


async def test_a_lost_connection_is_an_error(connection: Connection) -> None:
    posting = asyncio.ensure_future(connection.post("/payments", b"{}"))
    await asyncio.sleep(0)
    connection.connection_lost(None)

    with pytest.raises(ConnectionError, match="no answer came"):
        await posting


async def test_a_caller_who_gives_up_leaves_no_response_to_the_next(
    connection: Connection, transport: Transport
) -> None:
    posting = asyncio.ensure_future(connection.post("/payments", b"{}"))
    await asyncio.sleep(0)
    posting.cancel()
    await asyncio.wait({posting})

    assert transport.is_aborted
