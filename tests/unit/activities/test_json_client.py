"""A response of a neighbour that cannot be used means that the neighbour is not available."""

from datetime import UTC, datetime, timedelta

import pytest

from activities.adapters.json_client import MAX_RESPONSE_BYTES, create_client
from domain.errors import ErrorCode, PaymentError
from tests.support.json_neighbour import UNUSABLE, FixedResponse, Handler, neighbour


@pytest.mark.parametrize("handler", UNUSABLE.values(), ids=UNUSABLE)
async def test_an_unusable_response_means_unavailable(handler: Handler) -> None:
    with pytest.raises(PaymentError, match="The neighbour is not available") as caught:
        await neighbour(handler, seconds=0.02).request("GET", "/")
    assert caught.value.code is ErrorCode.ORDERING_UNAVAILABLE


def http_date(seconds_from_now: float, zone: str = "GMT") -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds_from_now)
    return moment.strftime(f"%a, %d %b %Y %H:%M:%S {zone}")


RETRY_AFTER: list[tuple[str, float | None]] = [
    *(("30", 30), ("0", 0)),
    *((text, None) for text in ("-1", "soon", "1.5", "", "9" * 30, "Mon, 99 Nov")),
]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
async def test_retry_after_in_seconds_is_read(
    status: int, header: str, seconds: float | None
) -> None:
    await assert_asked_again_after(status, header, seconds)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("zone", ["GMT", "-0000"])
async def test_retry_after_as_a_date_is_read(status: int, zone: str) -> None:
    await assert_asked_again_after(status, http_date(3600, zone), 3600)
    await assert_asked_again_after(status, http_date(-60, zone), 0)


async def assert_asked_again_after(status: int, header: str, seconds: float | None) -> None:
    with pytest.raises(PaymentError) as caught:
        await neighbour(FixedResponse("", status, retry_after=header)).request("GET", "/")
    after = caught.value.retry_after
    found = None if after is None else after.total_seconds()
    assert found == (seconds and pytest.approx(seconds, rel=0.05))


async def test_a_response_of_the_maximum_length_is_read() -> None:
    text = "x" * (MAX_RESPONSE_BYTES - 2)

    assert await neighbour(FixedResponse(text.join('""'))).request("GET", "/") == (200, text)


async def test_redirects_and_proxies_are_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")

    async with create_client("http://ordering") as client:
        assert not client.follow_redirects
        assert not client.trust_env
        assert client._mounts == {}
