"""Health and readiness."""

import httpx
import pytest

from tests.support.fake_resources import (
    FakeResources,
)


@pytest.mark.parametrize("path", ["/health", "/Health"])
async def test_the_process_says_that_it_is_healthy(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).json() == {"status": "Healthy", "service": "Payment"}


@pytest.mark.parametrize(
    ("down", "status", "word"),
    [
        ((), 200, "ready"),
        (("redis",), 200, "ready"),
        (("postgresql",), 503, "not ready"),
        (("postgresql", "redis"), 503, "not ready"),
    ],
    ids=str,
)
async def test_readiness_names_what_is_down(
    http: httpx.AsyncClient, resources: FakeResources, down: tuple[str, ...], status: int, word: str
) -> None:
    resources.down = down

    answer = await http.get("/ready")

    states = {name: "down" if name in down else "up" for name in ("postgresql", "redis")}
    body = {"status": word, "dependencies": states, "warnings": []}
    assert (answer.status_code, answer.json()) == (status, body)


async def test_readiness_warns_and_is_ready_all_the_same(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.warnings |= {"one": "Look at one.", "two": None, "three": ConnectionError("secret")}

    answer = await http.get("/ready")

    warnings = ["Look at one.", "three cannot be checked (ConnectionError)."]
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["warnings"] == warnings
