"""The TCP ports of one stack, all of them on the loopback interface."""

import asyncio
import random
import socket
from dataclasses import astuple, dataclass, fields

import psutil

HOST = "127.0.0.1"
_ATTEMPTS_TO_FIND = 200
_ATTEMPTS_TO_BIND = 20


@dataclass(frozen=True)
class Ports:
    """One port for each listener. The defaults are those of `make up`."""

    api: int = 5004
    ordering: int = 5003
    inventory: int = 5002
    gateway: int = 5005
    temporal: int = 7233
    temporal_ui: int = 8233
    postgres: int = 55432
    valkey: int = 56379
    kafka: int = 59092
    kafka_controller: int = 59093
    shop: int = 3000

    @classmethod
    def free(cls) -> "Ports":
        """Neighbouring ports that nobody listens on.

        A random block, so that stacks started at the same moment do not meet, and below the range
        that the system gives to outgoing connections. Raises RuntimeError if it finds none.
        """
        for _ in range(_ATTEMPTS_TO_FIND):
            first = random.randrange(12_000, 32_000, 16)  # noqa: S311 - no secret
            ports = cls(*range(first, first + len(fields(cls))))
            if all(is_free(port) for port in astuple(ports)):
                return ports
        raise RuntimeError(f"no free block of ports on {HOST}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


async def becomes_free(port: int) -> bool:
    """Whether it is free, or soon will be: a process that was just killed holds on for a moment."""
    for _ in range(_ATTEMPTS_TO_BIND):
        if is_free(port):
            return True
        await asyncio.sleep(0.05)
    return False


def listener(port: int) -> str:
    """Who listens on the port, for a person: `process 4711 (java)`."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return "another process"
