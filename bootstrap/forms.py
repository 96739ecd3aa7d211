"""Checks of settings that are more than a word, a number or a URL.

Each function returns the value that the process uses. If the value is wrong, it raises ValueError;
the message says what the value must be.
"""

import re
from ipaddress import ip_network

from limits import parse_many

ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:]+\])(?P<port>:[1-9][0-9]{0,4})?")
"""As browsers send it (RFC 6454 section 6.2): in lower case, without a path or the default port."""
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def rate(text: str) -> str:
    try:
        [limit] = parse_many(text)
    except ValueError:
        raise ValueError("one rate such as 120/minute or 10/second") from None
    if limit.amount < 1:
        raise ValueError("a rate of at least 1 request, such as 120/minute")
    return text


def networks(text: str) -> str:
    try:
        for each in text.split(","):
            ip_network(each.strip())
    except ValueError:
        raise ValueError("addresses or networks such as 10.0.0.0/8, separated by commas") from None
    return text


def origins(value: object) -> object:
    """Parse a list of origins. An empty text means no origin, `*` alone means every origin."""
    if not isinstance(value, str):
        return value
    found = tuple(item.strip() for item in value.split(",")) if value.strip() else ()
    if found != ("*",) and not all(map(_is_origin, found)):
        raise ValueError(
            "origins as browsers send them, such as https://shop.example, separated by commas: "
            "in lower case, without a path, a / at the end or the default port"
        )
    return found


def _is_origin(text: str) -> bool:
    match = ORIGIN.fullmatch(text)
    default = DEFAULT_PORTS.get(text.partition(":")[0])
    return match is not None and (match["port"] is None or match["port"] != default)
