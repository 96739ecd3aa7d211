"""Makes wrong requests from correct ones. A seed decides what is wrong."""

import json
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import NamedTuple
from urllib.parse import quote_from_bytes

from api.server import MAX_HEADER_BYTES
from tests.support.fake_resources import CUSTOMER, ORDER, STRANGER, SUCCEEDED

CANARY = "c4n4ry"
"""Part of many requests. No response may contain it."""

JSON = b"application/json"
NUMBERS = (
    *("150.00", "150", "0.01", "150.0", "150.000", "1e2", "1E+3", "-1", "-0.0", "0", "00", "01"),
    *("NaN", "Infinity", "-Infinity", "1e400", "1e999999", "1e-999999", "0.005", "150.001", ".5"),
    *("5.", "0x10", "1_000", "10000000000000000.01", "999999999999999.99", "10000000000000.00"),
)
TEXTS = (
    *("", " ", "USD", "usd", "JPY", "KWD", "CLF", "XXX", "XAU", "credit_card", "CreditCard"),
    *("150.00", "1.5", "١٢", "²", "½", "\uff11", "\u0131", "null", "true", "__proto__"),
    *(ORDER, CUSTOMER, STRANGER, f"{{{ORDER}}}", f"urn:uuid:{ORDER}", ORDER.upper(), f"{ORDER}\n"),
    *("00000000-0000-0000-0000-000000000000", "\0" * 36, "\r\nX-Evil: 1", "\u202e", "\ufeff"),
    *("'; DROP TABLE payments; --", "../../etc/passwd", "%00", "${jndi:ldap://x}", "<script>"),
    *(CANARY, f"{CANARY}-4111111111111111", "a" * 5_000, "é" * 36, "\U0001d518" * 9, "pending"),
)
RAW = (
    *("null", "true", "false", "{}", "[]", "[[]]", '{"a":{"b":[1,2]}}', '"\\ud800"', '"\\udfff"'),
    *('"\\u0000"', '"\\ud83d\\ude00"', "'a'", "undefined", "", ",", "]", '"', "\\", "//", "1 2"),
)
MEMBERS = (
    "orderId",
    "customerId",
    "reservationId",
    "amount",
    "currency",
    "paymentMethod",
    "paymentMethodToken",
)
MEDIA_TYPES = (
    *(b"", b"text/plain", b"application/json; charset=utf-16", b"application/problem+json", b"*/*"),
    *(b"multipart/form-data; boundary=x", b"APPLICATION/JSON;x=y", b"application/json,text/html"),
)
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "utf-7", "cp037")
HEADERS = (
    *(b"idempotency-key", b"accept", b"x-request-id", b"if-none-match", b"origin", b"range"),
    *(b"content-encoding", b"x-forwarded-for", b"expect", b"cookie", b"content-length"),
    *(b"authorization", b"access-control-request-method"),
)
PAYMENT = f"/payments/{SUCCEEDED.id}"
PLACES = (
    *("/payments/{}", "/payments/{}/cancel", "/payments/{}/timeline", "/payments/{}/refunds"),
    *("/payments/{}/refunds/{}", "/payments{}", "/{}", PAYMENT + "/{}", PAYMENT + "/refunds/{}"),
)
PARAMETERS = (*MEMBERS, "status", "createdFrom", "createdBefore", "limit", "cursor")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "X")


class Request(NamedTuple):
    """A request as an application gets it from its server."""

    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: list[bytes]


def a_request(dice: Random) -> Request:
    """Choose a request at random. Most are wrong, some in several ways."""
    make = dice.choices((_payment, _refund, _list, _place), weights=(60, 15, 15, 10))[0]
    return make(dice)


def _payment(dice: Random) -> Request:
    content = _encoded(_mangled(_members(dice), dice), dice)
    return Request("POST", "/payments", b"", _headers(dice), _torn(content, dice))


def _refund(dice: Random) -> Request:
    right = [("amount", "50.00")] if dice.random() < 0.8 else []
    content = _encoded(_mangled(_changed(right, ("amount",), dice), dice), dice)
    return Request("POST", f"{PAYMENT}/refunds", b"", _headers(dice), _torn(content, dice))


def _list(dice: Random) -> Request:
    number = dice.choices((dice.randint(1, 4), 50, 1_000), weights=(97, 2, 1))[0]
    names = dice.choices((*PARAMETERS, _text(dice)), k=number)
    pairs = (f"{_quoted(name, dice)}={_quoted(_text(dice), dice)}" for name in names)
    query = "&".join(pairs).encode()[:MAX_HEADER_BYTES]  # the server takes no more
    return Request("GET", "/payments", query, _headers(dice), [b""])


def _place(dice: Random) -> Request:
    place = dice.choice(PLACES)
    path = place.format(*(_text(dice) for _ in range(place.count("{}"))))
    body = _torn(b"{}", dice) if dice.random() < 0.5 else [b""]
    return Request(dice.choice(METHODS), path, b"", _headers(dice), body)


def _members(dice: Random) -> str:
    right = {"orderId": ORDER, "customerId": CUSTOMER, "amount": 150.00}
    if dice.random() < 0.5:
        right |= {"currency": "USD", "paymentMethod": "credit_card", "reservationId": ORDER}
    return _changed([(name, json.dumps(value)) for name, value in right.items()], MEMBERS, dice)


def _changed(members: list[tuple[str, str]], names: Iterable[str], dice: Random) -> str:
    """The object with some members replaced, repeated, left out, added or renamed."""
    for _ in range(dice.choice((0, 1, 1, 1, 2, 4))):
        place = dice.randint(0, len(members))
        change = dice.random()
        if change < 0.6:
            name = dice.choice([*names])
            members = [each for each in members if each[0] != name]
            members.insert(place, (name, _value(dice)))
        elif change < 0.75:
            members.insert(place, (_text(dice), _value(dice)))
        elif change < 0.85:
            members = members[:place] + members[place + 1 :]
        else:
            members.insert(place, (dice.choice([*names]), _value(dice)))
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members) + "}"


def _value(dice: Random) -> str:
    kinds: Mapping[int, Callable[[], str]] = {
        0: lambda: dice.choice(NUMBERS),
        1: lambda: _digits(dice),
        2: lambda: json.dumps(_text(dice), ensure_ascii=dice.random() < 0.5),
        3: lambda: dice.choice(RAW),
        4: lambda: _nested(dice),
        5: lambda: _many(dice),
    }
    return kinds[dice.choices(range(6), weights=(30, 20, 30, 15, 4, 1))[0]]()


def _digits(dice: Random) -> str:
    places = dice.choice((0, 1, 2, 2, 2, 3, 4, 40))
    whole = dice.randint(0, 10 ** dice.choice((1, 3, 6, 13, 16, 40)))
    fraction = "".join(dice.choices("0123456789", k=places))
    return f"{whole}.{fraction}" if places else str(whole)


def _nested(dice: Random) -> str:
    depth = dice.choice((2, 30, 300, 3_000))
    opening, closing = dice.choice((("[", "]"), ('{"a":', "}")))
    return opening * depth + dice.choice(("1", "")) + closing * (depth - dice.randint(0, 1))


def _many(dice: Random) -> str:
    number = dice.choice((100, 1_000, 8_000))
    if dice.random() < 0.5:
        return "{" + ",".join(f'"{each}":1' for each in range(number // 4)) + "}"
    return "[" + ",".join([dice.choice(("1", "{}", '""', '{"a":[1]}'))] * number) + "]"


def _text(dice: Random) -> str:
    if dice.random() < 0.7:
        return dice.choice(TEXTS)
    points = (0x20, 0x7F, 0xFF, 0xD7FF, 0x10FFFF)
    letters = (chr(dice.randint(0, dice.choice(points))) for _ in range(dice.randint(0, 40)))
    return "".join(each if not 0xD800 <= ord(each) < 0xE000 else "?" for each in letters)


def _mangled(text: str, dice: Random) -> str:
    """The text unchanged, or with some letters removed, doubled or replaced."""
    if dice.random() < 0.7:
        return text
    for _ in range(dice.randint(1, 4)):
        place = dice.randint(0, len(text))
        letter = dice.choice((*'{}[]:,"\\0e\0\né', chr(dice.randint(0, 0xD7FF))))
        text = text[:place] + dice.choice(("", letter)) + text[place + dice.randint(0, 2) :]
    return text


def _encoded(text: str, dice: Random) -> bytes:
    if dice.random() < 0.9:
        return text.encode("utf-8", "surrogatepass")
    if dice.random() < 0.5:
        return text.encode(dice.choice(ENCODINGS), "replace")
    content = bytearray(text.encode("utf-8", "replace"))
    for _ in range(dice.randint(1, 5)):
        content.insert(dice.randint(0, len(content)), dice.randint(0x80, 0xFF))
    return bytes(content)


def _torn(content: bytes, dice: Random) -> list[bytes]:
    place = dice.randint(0, len(content)) if dice.random() < 0.1 else 0
    return [content[:place], content[place:]] if place else [content]


def _headers(dice: Random) -> list[tuple[bytes, bytes]]:
    media_type = dice.choice(MEDIA_TYPES) if dice.random() < 0.05 else JSON
    headers = [(b"host", b"payments"), (b"content-type", media_type), (b"transfer-encoding", b"x")]
    if dice.random() < 0.5:
        headers.append((b"idempotency-key", b"key"))
    if dice.random() < 0.15:
        headers.append((dice.choice(HEADERS), _header_value(dice)))
    return headers


def _header_value(dice: Random) -> bytes:
    """A value that a server accepts: without line ends and NUL."""
    value = _text(dice).encode("utf-8", "replace")
    return value.translate(None, b"\r\n\0")


def _quoted(text: str, dice: Random) -> str:
    return quote_from_bytes(_encoded(text, dice), safe="" if dice.random() < 0.9 else "%&=+;")
