"""The Kafka broker's jars: downloaded once per user, checked by SHA-256 at every start."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devstack.stack import cache
from devstack.stack.errors import ComponentError

_LIST = Path(__file__).with_name("kafka-jars.txt")
_PARALLEL_DOWNLOADS = 8
"""Chosen, not measured."""


@dataclass(frozen=True)
class Jar:
    """A Maven coordinate and the SHA-256 that its file must have."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, repository: Path) -> Path:
        """The jar's file in a local Maven repository."""
        name = f"{self.artifact}-{self.version}.jar"
        return repository / self.group.replace(".", "/") / self.artifact / self.version / name

    def is_intact(self, repository: Path) -> bool:
        """False if the file is missing or has another SHA-256."""
        path = self.path(repository)
        if not path.exists():
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def class_path() -> str:
    """The broker's Java class path. Missing jars are downloaded.

    Raises ComponentError if a download fails or has another SHA-256.
    """
    repository = cache.directory() / "jars"
    repository.mkdir(parents=True, exist_ok=True)
    jars = list(_read_list())
    # Two stacks may start together, and jgo writes a jar under its final name from the first byte.
    with (repository / "lock").open("w") as lock, ThreadPoolExecutor(_PARALLEL_DOWNLOADS) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        intact = pool.map(lambda jar: jar.is_intact(repository), jars)
        missing = [jar for jar, is_intact in zip(jars, intact, strict=True) if not is_intact]
        list(pool.map(lambda jar: _download(jar, repository), missing))
    return os.pathsep.join(str(jar.path(repository)) for jar in jars)


def _read_list() -> Iterator[Jar]:
    for line in _LIST.read_text().splitlines():
        coordinate, sha256 = line.split()
        group, artifact, version = coordinate.split(":")
        yield Jar(group, artifact, version, sha256)


def _download(jar: Jar, repository: Path) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - only a first start needs it

    path = jar.path(repository)
    path.unlink(missing_ok=True)
    project = MavenContext(repo_cache=repository).project(jar.group, jar.artifact)
    try:
        project.at_version(jar.version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise ComponentError("kafka", f"cannot download {path.name}: {error}") from error
    if not jar.is_intact(repository):
        path.unlink()
        raise ComponentError(
            "kafka",
            f"the SHA-256 of {path.name} is not the one in {_LIST.name}; the file has been "
            "deleted. Someone may have changed the Maven repository",
        )
