"""Creating topics: how each response of the broker counts, and how existing topics are checked."""

from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import pytest
from aiokafka.errors import KafkaConnectionError

from activities.adapters import kafka_topics
from activities.adapters.kafka_topics import create_topics
from domain.errors import ErrorCode, PaymentError
from tests.support.logged import lines
from workflows.prepare import _end_if_failed

TOPICS = ("payment-succeeded", "payment-failed")


class Topic(NamedTuple):
    replicas: int = 3
    insync: int = 2


class FakeAdmin:
    """A fake admin client: its responses have the same form as aiokafka's."""

    brokers: ClassVar[int]
    topics: ClassVar[dict[str, Topic]]
    errors: ClassVar[dict[str, tuple[int, str]]]
    hidden: ClassVar[int]
    """How many times the topics are listed before a new topic appears."""
    readable: ClassVar[bool]
    is_down: ClassVar[bool]

    def __init__(self, **_: Any) -> None:
        self.closed = False

    async def start(self) -> None:
        if self.is_down:
            raise KafkaConnectionError

    async def close(self) -> None:
        self.closed = True

    async def describe_cluster(self) -> dict[str, Any]:
        return {"brokers": [{"node_id": number} for number in range(self.brokers)]}

    async def list_topics(self) -> list[str]:
        FakeAdmin.hidden -= 1
        return [] if FakeAdmin.hidden >= 0 else list(self.topics)

    async def create_topics(self, wanted: list[Any]) -> Any:
        errors = []
        for each in wanted:
            code, message = self.errors.get(each.name, (0, ""))
            errors.append((each.name, code, message or None))
            if not code:
                insync = int(each.topic_configs.get("min.insync.replicas", 1))
                self.topics[each.name] = Topic(each.replication_factor, insync)
        return SimpleNamespace(topic_errors=errors)

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [
            {"topic": name, "partitions": [{"replicas": list(range(self.topics[name].replicas))}]}
            for name in names
        ]

    async def describe_configs(self, asked: list[Any]) -> list[Any]:
        code = 0 if self.readable else 29
        resources = [
            (code, None, 2, each.name, self._entries(each.name) if self.readable else [])
            for each in asked
        ]
        return [SimpleNamespace(resources=resources)]

    def _entries(self, name: str) -> list[tuple[Any, ...]]:
        return [("min.insync.replicas", str(self.topics[name].insync), False, 1, False, [])]


@pytest.fixture(autouse=True)
def cluster(monkeypatch: pytest.MonkeyPatch) -> type[FakeAdmin]:
    FakeAdmin.brokers, FakeAdmin.topics, FakeAdmin.errors = 3, {}, {}
    FakeAdmin.hidden, FakeAdmin.readable, FakeAdmin.is_down = 0, True, False
    monkeypatch.setattr(kafka_topics, "AIOKafkaAdminClient", FakeAdmin)
    monkeypatch.setattr(kafka_topics, "LOOK_PAUSE_SECONDS", 0)
    return FakeAdmin


async def test_with_three_brokers_two_replicas_hold_an_event_before_it_counts(
    cluster: type[FakeAdmin], caplog: pytest.LogCaptureFixture
) -> None:
    await create_topics({}, TOPICS, warn_of_few_brokers=True)

    assert cluster.topics == dict.fromkeys(TOPICS, Topic(replicas=3, insync=2))
    assert lines(caplog, kafka_topics) == []


@pytest.mark.parametrize("brokers", [1, 2])
async def test_with_fewer_brokers_topics_have_as_many_replicas(
    cluster: type[FakeAdmin], caplog: pytest.LogCaptureFixture, brokers: int
) -> None:
    cluster.brokers = brokers

    await create_topics({}, TOPICS)

    assert cluster.topics == dict.fromkeys(TOPICS, Topic(replicas=brokers, insync=1))
    assert lines(caplog, kafka_topics) == []


async def test_fewer_brokers_are_a_warning_where_events_must_not_be_lost(
    cluster: type[FakeAdmin], caplog: pytest.LogCaptureFixture
) -> None:
    cluster.brokers = 2

    await create_topics({}, TOPICS, warn_of_few_brokers=True)

    [line] = lines(caplog, kafka_topics)
    assert line.startswith("Kafka has 2 broker(s)")


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (29, "TopicAuthorizationFailedError", "Topic authorization failed."),
        (38, "InvalidReplicationFactorError", "Replication factor: 3 larger than brokers: 1."),
        (44, "PolicyViolationError", ""),
    ],
)
async def test_a_topic_that_is_refused_is_named_with_the_reason(
    cluster: type[FakeAdmin], code: int, name: str, message: str
) -> None:
    cluster.errors["payment-failed"] = (code, message)

    with pytest.raises(PaymentError) as caught:
        await create_topics({}, TOPICS)
    with pytest.raises(SystemExit) as end:
        _end_if_failed([caught.value])

    assert caught.value.code is ErrorCode.EVENT_REFUSED
    said = f"Kafka refuses the topic payment-failed ({name}): "
    assert str(end.value) == said + (message or "no reason is given")


async def test_a_topic_that_another_process_has_just_created_counts_as_created(
    cluster: type[FakeAdmin],
) -> None:
    cluster.topics, cluster.hidden = dict.fromkeys(TOPICS, Topic()), 1
    cluster.errors = dict.fromkeys(TOPICS, (36, "Topic already exists."))

    await create_topics({}, TOPICS)


async def test_a_topic_that_appears_late_counts_as_created(cluster: type[FakeAdmin]) -> None:
    cluster.hidden = 5

    await create_topics({}, TOPICS)


async def test_a_topic_that_does_not_appear_is_missing(cluster: type[FakeAdmin]) -> None:
    cluster.hidden = 10 * kafka_topics.MAX_LOOKS

    with pytest.raises(PaymentError, match="payment-failed, payment-succeeded") as caught:
        await create_topics({}, TOPICS)

    assert caught.value.code is ErrorCode.EVENT_REFUSED


@pytest.mark.parametrize("topic", [Topic(replicas=1), Topic(insync=1)])
async def test_topics_of_others_that_may_lose_events_are_a_warning(
    cluster: type[FakeAdmin], caplog: pytest.LogCaptureFixture, topic: Topic
) -> None:
    cluster.topics = {TOPICS[0]: topic, TOPICS[1]: Topic()}

    await create_topics({}, TOPICS)

    [line] = lines(caplog, kafka_topics)
    assert f"topic {TOPICS[0]} has {topic.replicas} replicas" in line
    assert f"min.insync.replicas={topic.insync}" in line


async def test_topics_that_may_not_be_described_are_no_warning(
    cluster: type[FakeAdmin], caplog: pytest.LogCaptureFixture
) -> None:
    cluster.topics, cluster.readable = dict.fromkeys(TOPICS, Topic(insync=1)), False

    await create_topics({}, TOPICS)

    assert lines(caplog, kafka_topics) == []


async def test_a_cluster_that_does_not_answer_is_unavailable(cluster: type[FakeAdmin]) -> None:
    cluster.is_down = True

    with pytest.raises(PaymentError) as caught:
        await create_topics({}, TOPICS)

    assert caught.value.code is ErrorCode.EVENTS_UNAVAILABLE
