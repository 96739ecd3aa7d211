"""The TCP ports of one stack, all on the loopback interface."""

import asyncio
import random
import socket
from dataclasses import astuple, dataclass, fields

import psutil

HOST = "127.0.0.1"
_FIRST_PORTS = range(12_000, 32_000, 16)
"""The first ports of the blocks that `Ports.free` chooses from. A block has 16 ports, because a
stack needs 15. All ports are below 32768: from there on, Linux uses ports for outgoing connections.
The lower end is chosen, not measured."""
_FIND_ATTEMPTS = 200
"""Random blocks of ports to try. Chosen, not measured."""
_FREE_ATTEMPTS = 20
_FREE_INTERVAL_SECONDS = 0.05
"""Together one second, in which the system frees the ports of a killed process.

Chosen, not measured.
"""


@dataclass(frozen=True)
class Ports:
    """One port for each server. The defaults are those of `make up`."""

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
    stripe: int = 5006
    prometheus: int = 9090
    api_metrics: int = 9464
    worker_metrics: int = 9465

    @classmethod
    def free(cls) -> "Ports":
        """Choose a block of consecutive ports that nobody listens on.

        The block is random, so that two stacks that start together rarely choose the same one.
        Raises RuntimeError if no free block is found.
        """
        for _ in range(_FIND_ATTEMPTS):
            first = random.choice(_FIRST_PORTS)  # noqa: S311 - no secret
            ports = cls(*range(first, first + len(fields(cls))))
            if all(is_free(port) for port in astuple(ports)):
                return ports
        raise RuntimeError(f"no free block of ports on {HOST}")


def is_free(port: int) -> bool:
    """True if the port can be bound."""
    with socket.socket() as probe:
        # As the servers do: a port whose old connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


async def becomes_free(port: int) -> bool:
    """Wait up to one second for the port: a process that was just killed holds it a little longer.

    Returns False if it is still taken then.
    """
    for _ in range(_FREE_ATTEMPTS):
        if is_free(port):
            return True
        await asyncio.sleep(_FREE_INTERVAL_SECONDS)
    return False


def describe_listener(port: int) -> str:
    """Say which process listens on the port: `process 4711 (java)`, or `another process`."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return "another process"
