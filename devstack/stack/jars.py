"""The Kafka broker's jars: fetched once for each user, checked against their hashes every time."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devstack.stack.failures import PartFailed

_LIST = Path(__file__).with_name("kafka-jars.txt")
_DOWNLOADS_AT_ONCE = 8


@dataclass(frozen=True)
class Jar:
    """A Maven coordinate and the SHA-256 of the file that it must stand for."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, repository: Path) -> Path:
        name = f"{self.artifact}-{self.version}.jar"
        return repository / self.group.replace(".", "/") / self.artifact / self.version / name

    def is_intact(self, repository: Path) -> bool:
        path = self.path(repository)
        if not path.exists():
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


def class_path() -> str:
    """The broker's Java class path; downloads what is missing. Raises PartFailed if it cannot."""
    repository = _cache() / "jars"
    repository.mkdir(parents=True, exist_ok=True)
    jars = list(_listed())
    # Two stacks may start at once, and jgo writes a jar under its final name from the first byte.
    with (repository / "lock").open("w") as lock, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        fcntl.flock(lock, fcntl.LOCK_EX)
        intact = pool.map(lambda jar: jar.is_intact(repository), jars)
        missing = [jar for jar, is_intact in zip(jars, intact, strict=True) if not is_intact]
        list(pool.map(lambda jar: _fetch(jar, repository), missing))
    return os.pathsep.join(str(jar.path(repository)) for jar in jars)


def _listed() -> Iterator[Jar]:
    for line in _LIST.read_text().splitlines():
        coordinate, sha256 = line.split()
        group, artifact, version = coordinate.split(":")
        yield Jar(group, artifact, version, sha256)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "payment-service"


def _fetch(jar: Jar, repository: Path) -> None:
    from jgo.maven import MavenContext  # noqa: PLC0415 - only a first start needs it

    jar.path(repository).unlink(missing_ok=True)
    project = MavenContext(repo_cache=repository).project(jar.group, jar.artifact)
    try:
        project.at_version(jar.version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise PartFailed(
            "kafka", f"cannot download {jar.path(repository).name}: {error}"
        ) from error
    if not jar.is_intact(repository):
        jar.path(repository).unlink()
        raise PartFailed(
            "kafka",
            f"{jar.path(repository).name} is not the file whose SHA-256 stands in {_LIST.name}; "
            "it has been deleted. The Maven repository may have been tampered with",
        )
