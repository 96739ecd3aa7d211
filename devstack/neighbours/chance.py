"""Chance that can be repeated: it depends on a text only, and not on the process or the time."""

from hashlib import sha256


def fraction(text: str) -> float:
    """A number from 0 to 1, evenly distributed, and always the same for the same text."""
    return int.from_bytes(sha256(text.encode()).digest()[:8]) / 2**64
