"""Changes a correct response in one respect, chosen by a seed, as a broken neighbour might."""

import gzip
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import httpx

from activities.adapters.json_client import MAX_RESPONSE_BYTES
from domain.gateway import ChargeState, RefundState
from domain.verification import ACTIVE, PENDING

LIES = frozenset(map(str, [*ChargeState, *RefundState, PENDING, ACTIVE]))
"""States that the service must believe. No mutation may create one of them."""
STATUSES = (
    *(100, 101, 199, 200, 201, 202, 204, 206, 226, 300, 301, 302, 304, 307, 400, 401, 402, 403),
    *(404, 405, 406, 407, 408, 409, 410, 412, 413, 415, 418, 421, 422, 423, 424, 425, 428, 429),
    *(431, 451, 499, 500, 501, 502, 503, 504, 507, 511, 520, 599),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        "",
        " ",
        "\t",
        "\x00",
        0,
        -1,
        1,
        42,
        1.0,
        0.1,
        1e300,
        True,
        False,
        [],
        {},
        [[]],
        [None],
    ),
    *({"a": 1}, "null", "None", "undefined", "NaN", "Infinity", "-0", "1e400", "0x10", "١٢٣"),
    *("pending", "active", "paid", "cancelled", "expired", "confirmed", "PENDING", "Active "),
    *("USD", "usd", "JPY", "XXX", "150", "150.00", "15000", "150.000000", "149.99", "1.00"),
    *("\ud800", "\udfff\ud800", "\u202e150.00", "\ufeff", "\u200b", "🎫" * 90, "İ", "ß", "ﬀ"),
    *(
        "x" * 300,
        "x" * 100_000,
        "9" * 400,
        "0" * 400 + "1",
        "[" * 5000,
        "<script>",
        "'; DROP",
        "%00",
    ),
    *(
        str(UUID(int=0)),
        str(UUID(int=7)),
        UUID(int=7).hex,
        "{" + str(UUID(int=0)) + "}",
        "urn:uuid:",
    ),
    *(
        "0001-01-01T00:00:00Z",
        "1970-01-01",
        "9999-12-31T23:59:59.999999-12:00",
        "2026-11-26T24:00Z",
    ),
    *(
        "2026-13-01T00:00:00Z",
        "1795726358",
        "-62135596801",
        "soon",
        "2026-11-26 20:52:38+00",
        "P1D",
    ),
    *("a@example.com", "pay_other_charge", "CHARGE_NOT_FOUND", "CARD_DECLINED", "true", "2026-W48"),
)
HEADERS: tuple[tuple[str, str], ...] = (
    *(("content-type", each) for each in ("text/html", "application/json; charset=utf-16", "")),
    *(("content-encoding", each) for each in ("gzip", "br", "deflate", "identity", "odd")),
    *(("retry-after", each) for each in ("0", "-5", "30", "9" * 30, "soon", "1e9", "٣", "\x01")),
    *(("retry-after", each) for each in ("Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 1 Jan 1970")),
    *(("location", "http://elsewhere/"), ("x-long", "x" * 60_000), ("transfer-encoding", "odd")),
    *(("content-length", "5"), ("connection", "close"), ("set-cookie", "a=b"), ("x", "\xff")),
)
ENCODINGS = ("utf-16", "utf-32", "latin-1", "utf-7", "utf-8-sig")


class NeighbourResponse(NamedTuple):
    """A response. Its body is JSON, or the bytes that are sent."""

    status: int
    body: Any
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    def response(self) -> httpx.Response:
        headers = [(name, value.encode("utf-8", "replace")) for name, value in self.headers]
        raw = [(name.encode(), value) for name, value in headers]
        return httpx.Response(self.status, headers=raw, stream=Content(self.content))


class Content(httpx.AsyncByteStream):
    """Sends the bytes unchanged, whatever the headers say of them."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> Any:
        yield self._content


def _of_status(honest: NeighbourResponse, dice: random.Random) -> NeighbourResponse:
    return honest._replace(status=dice.choice(STATUSES))


def _of_headers(honest: NeighbourResponse, dice: random.Random) -> NeighbourResponse:
    return honest._replace(headers=(*honest.headers, *dice.choices(HEADERS, k=dice.randint(1, 3))))


def _of_status_and_headers(honest: NeighbourResponse, dice: random.Random) -> NeighbourResponse:
    """Change status and headers, as rate limits and maintenance pages do."""
    return _of_headers(honest._replace(status=dice.choice((408, 429, 503, 401, 302))), dice)


def _of_bytes(honest: NeighbourResponse, dice: random.Random) -> NeighbourResponse:
    content = honest.content
    at = dice.randrange(len(content) + 1)
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: content[:at],
        lambda: content[:at] + bytes([dice.randrange(256)]) + content[at + 1 :],
        lambda: content[:at] + dice.randbytes(dice.randint(1, 20)) + content[at:],
        lambda: content + content,
        lambda: b"[" + content + b"]",
        lambda: b"[" * dice.choice((10, 1000, 100_000)) + content,
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.decode(errors="replace").encode(dice.choice(ENCODINGS), "replace"),
        lambda: content + b" " * (MAX_RESPONSE_BYTES - len(content) + dice.choice((0, 1))),
        lambda: dice.randbytes(dice.randint(0, 200)),
        lambda: dice.choice((b"", b" ", b"null", b"{}", b"[]", b'""', b"<html>", b"0", b"NaN")),
        lambda: gzip.compress(content),
        lambda: content.replace(b'"', b"'"),
        lambda: content[:-1] + b', "state": "captured", "status": "active"}',
    )
    return honest._replace(body=dice.choice(changes)())


def _of_member(honest: NeighbourResponse, dice: random.Random) -> NeighbourResponse:
    if not isinstance(honest.body, dict) or not honest.body:
        return _of_bytes(honest, dice)
    body = dict(honest.body)
    name = dice.choice(list(body))
    old = body.pop(name)
    kind = dice.randrange(8)
    if kind == 0:
        pass  # left out
    elif kind == 1:
        body[dice.choice((name.upper(), name.lower(), f" {name}", f"{name}\x00", "_" + name))] = old
    elif kind == 2:
        body |= {name: old, dice.choice(("extra", "__proto__", "", "\ud800")): dice.choice(VALUES)}
    elif kind == 3 and isinstance(old, str):
        body[name] = _respelled(old, dice)
    elif kind == 4:
        body[name] = dice.choice(([old], {name: old}, str(old), json.dumps(old)))
    else:
        body[name] = dice.choice(VALUES)
    return honest._replace(body=body)


def _respelled(text: str, dice: random.Random) -> str:
    at = dice.randrange(len(text) + 1)
    odd = dice.choice(("\x00", "\x1b[0m", "\u202e", " ", "\n", "\u200d", "é", "\ud800", "0", "-"))
    changes = (text.upper(), text.swapcase(), f" {text}\t", text[:at] + odd + text[at:], text[::-1])
    return dice.choice((*changes, text[:at], text * 2, text.replace("-", ""), f"{{{text}}}"))


def _of_nothing(_: NeighbourResponse, dice: random.Random) -> NeighbourResponse:
    raise dice.choice((httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.ConnectError))("lost")


MUTATIONS = (
    _of_member,
    _of_member,
    _of_member,
    _of_status,
    _of_status_and_headers,
    _of_headers,
    _of_bytes,
    _of_nothing,
)


def mutate(honest: NeighbourResponse, dice: random.Random) -> NeighbourResponse:
    """Change the response in one way that is chosen at random.

    Raises httpx.TransportError if the change is that no response arrives.
    """
    changed = dice.choice(MUTATIONS)(honest, dice)
    return honest._replace(body={}) if _lies(honest.body, changed.body) else changed


def _lies(honest: Any, changed: Any) -> bool:
    if not isinstance(honest, dict):
        return False
    lies = [word for word in LIES if word not in (honest.get("state"), honest.get("status"))]
    if isinstance(changed, bytes):
        return any(f'"{word}"'.encode() in changed for word in lies)
    states = (changed.get("state"), changed.get("status"))
    return any(isinstance(each, str) and each.strip().lower() in lies for each in states)
