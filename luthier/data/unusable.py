"""Values that make their row unusable: the reason, and how it quotes what it is about."""

import json
from typing import Any, NoReturn

LONGEST_SHOWN = 60
MISSING = "missing label"


class Unusable(Exception):
    """A value that makes its row unusable; ``kind`` groups reasons that differ in a value."""

    def __init__(self, kind: str, reason: str | None = None):
        self.kind, self.reason = kind, reason or kind
        super().__init__(self.reason)


def missing() -> NoReturn:
    """Raises Unusable for a label that is not there."""
    raise Unusable(MISSING)


def shown(value: object) -> str:
    """A value for people, cut when it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"


def json_value(written: str) -> Any:
    """What a JSON text says; None where it is none."""
    try:
        return json.loads(written)
    except (ValueError, RecursionError):
        return None


def json_list(written: str, kind: str) -> list[Any]:
    """The entries of a JSON list. Raises Unusable."""
    entries = json_value(written)
    if not isinstance(entries, list):
        raise Unusable(kind, f"no JSON list: {shown(written)}")
    return entries
