"""The proxy through which the chaos run breaks connections does break them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from devstack.stack.ports import HOST
from tests.proofs.chaos.links import Link

QUESTION = b"0123456789"
MOMENT = 0.2


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data)
    writer.close()


@pytest.fixture
async def link() -> AsyncIterator[Link]:
    server = await asyncio.start_server(echo, HOST, 0)
    link = Link(server.sockets[0].getsockname()[1])
    async with link.opened():
        yield link
    server.close()


async def answered(link: Link) -> bytes:
    """All that is received on a new connection, until it ends or is reset."""
    reader, writer = await asyncio.open_connection(HOST, link.port)
    try:
        writer.write(QUESTION)
        return await reader.read(100)
    finally:
        writer.transport.abort()


async def bytes_of(answer: Awaitable[bytes]) -> bytes:
    """The response; empty if the connection is reset, which is an error only at some moments."""
    try:
        return await answer
    except ConnectionError:
        return b""


async def test_an_open_link_carries_both_ways(link: Link) -> None:
    assert await answered(link) == QUESTION


async def test_a_cut_link_resets_open_and_new_connections(link: Link) -> None:
    reader, writer = await asyncio.open_connection(HOST, link.port)
    writer.write(QUESTION)
    await reader.readexactly(len(QUESTION))

    with link.cut():
        assert await bytes_of(reader.read(100)) == await bytes_of(answered(link)) == b""

    writer.transport.abort()
    assert await answered(link) == QUESTION


async def test_a_truncated_answer_breaks_off(link: Link) -> None:
    with link.truncated():
        assert await answered(link) == QUESTION[:5]


async def test_what_is_sent_on_a_stalled_link_arrives_afterwards(link: Link) -> None:
    with link.stalled():
        asking = asyncio.create_task(answered(link))
        done, _ = await asyncio.wait([asking], timeout=MOMENT)
        assert not done

    assert await asking == QUESTION


async def test_a_slowed_link_takes_its_time(link: Link) -> None:
    loop = asyncio.get_running_loop()
    with link.slowed(MOMENT):
        began = loop.time()
        assert await answered(link) == QUESTION

    assert loop.time() - began >= MOMENT
