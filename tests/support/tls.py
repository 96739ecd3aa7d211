"""A private certificate authority, and servers that use TLS with its certificates."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from devstack.stack.kafka import Kafka
from devstack.stack.ports import HOST, Ports
from devstack.stack.site import Site

SSL_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
"""What a client of PostgreSQL sends first when it wants TLS (PostgreSQL manual, section 54.7)."""
CHUNK = 65536
"""Most bytes that one read returns. Chosen, not measured."""
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]
USER, PASSWORD = "payments", "hunter2"
_SECURE = """
listeners=PLAINTEXT://{host}:{ports.kafka},CONTROLLER://{host}:{ports.kafka_controller},\
SASL_SSL://{host}:{ports.api}
advertised.listeners=PLAINTEXT://{host}:{ports.kafka},SASL_SSL://{host}:{ports.api}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
"""


class Authority:
    """Issues the servers' certificates. Clients need `file`, its own certificate, to trust them."""

    def __init__(self, directory: Path) -> None:
        authority = trustme.CA()
        self._issued = authority.issue_cert(HOST)
        self.file = directory / "authority.pem"
        self.key_store = directory / "server.pem"
        authority.cert_pem.write_to_path(self.file)
        self.key_store.write_bytes(self._java_key() + b"".join(self._certificates()))

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["h2", "http/1.1"])
        self._issued.configure_cert(context)
        return context

    def _java_key(self) -> bytes:
        """The private key in PKCS #8, the only format that Java reads."""
        key = serialization.load_pem_private_key(self._issued.private_key_pem.bytes(), None)
        return key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def _certificates(self) -> Iterator[bytes]:
        return (each.bytes() for each in self._issued.cert_chain_pems)


class SecureKafka(Kafka):
    """A broker that also listens at `secure_address`, with TLS and a password."""

    def __init__(self, directory: Path, authority: Authority) -> None:
        super().__init__(Site(directory, Ports.free()))
        self._authority = authority
        self.secure_address = f"{HOST}:{self.site.ports.api}"

    async def command(self) -> list[str]:
        command = await super().command()
        self._listen_with_tls(Path(command[-1]))
        return command

    def _listen_with_tls(self, settings: Path) -> None:
        """Append settings to the file. If a property is there twice, the last line counts."""
        values = {"keystore": self._authority.key_store, "user": USER, "password": PASSWORD}
        ours = _SECURE.format(host=HOST, ports=self.site.ports, **values)
        settings.write_text(settings.read_text() + ours)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.process.start(await self.command(), os.environ, ephemeral=True)
        try:
            await self.wait_until_ready()
            yield
        finally:
            await self.process.kill()


@asynccontextmanager
async def encrypting(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """A proxy with TLS to the server at `port`, which has no TLS. Yields the proxy's port."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _forward(reader, writer, port)

    async with _serving(connect, context) as own_port:
        yield own_port


@asynccontextmanager
async def encrypting_postgresql(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """As `encrypting`, for PostgreSQL. It disconnects clients that do not ask for TLS first."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError), _closing(writer):
            if await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(context)
                await _forward(reader, writer, port)

    async with _serving(connect) as own_port:
        yield own_port


@asynccontextmanager
async def _serving(connect: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server on a free port, which is yielded. At the end, its connections are ended, too.

    Since Python 3.12, a server that is closed waits for its connections.
    """
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(task := asyncio.create_task(connect(reader, writer)))
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, HOST, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in tuple(running):
            each.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Connect to the server at `port`, and copy bytes between it and the client in both directions.

    Ends when the client or the server closes its connection.
    """
    server, to_server = await asyncio.open_connection(HOST, port)
    with _closing(writer), _closing(to_server):
        ways = [
            asyncio.create_task(_copy(reader, to_server)),
            asyncio.create_task(_copy(server, writer)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


@contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()
