"""Who was champion when, by whom and why: one tag of the registered model for each change, none ever overwritten."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

PREFIX = "luthier.history."
# What PostgreSQL keeps of a tag's value, less the other entries of a record.
LONGEST_REASON = 4000

Kind = Literal["promotion", "rollback", "found"]


@dataclass(frozen=True)
class ChampionChange:
    """``version`` took the place of ``before``; ``by`` is a Dagster run or a person.

    ``found`` is a champion that nothing was written of: somebody moved the alias in MLflow, or a process ended after
    moving it.
    """

    kind: Kind
    version: str
    before: str | None
    reason: str
    by: str
    time: str

    @classmethod
    def now(cls, kind: Kind, version: str, before: str | None, *, reason: str, by: str) -> "ChampionChange":
        return cls(kind, version, before, reason[:LONGEST_REASON], by, datetime.now(UTC).isoformat())

    def as_tag(self) -> tuple[str, str]:
        """Key and value; no two changes have the same key, and keys sort by time."""
        moment = datetime.fromisoformat(self.time).strftime("%Y%m%dT%H%M%S.%f")
        return f"{PREFIX}{moment}.{uuid.uuid4().hex[:8]}", json.dumps(asdict(self), ensure_ascii=False)


def read_history(tags: Mapping[str, Any]) -> list[ChampionChange]:
    """The changes that the tags of a registered model tell of, the oldest first."""
    return [ChampionChange(**json.loads(tags[key])) for key in sorted(tags) if key.startswith(PREFIX)]


def champions_before(history: Sequence[ChampionChange]) -> list[str]:
    """The champions below the present one, the nearest last.

    A rollback goes back to where its version was champion: what came after that is behind it no more.
    """
    stack: list[str] = []
    for change in history:
        if change.before is not None and change.before not in stack:
            stack.append(change.before)
        if change.version in stack:
            place = stack.index(change.version)
            stack = stack[:place] if change.kind == "rollback" else [*stack[:place], *stack[place + 1 :]]
        stack.append(change.version)
    return stack[:-1]


def withdrawal(history: Sequence[ChampionChange], version: str) -> ChampionChange | None:
    """What took the place of champion from ``version`` by going back, unless it has been champion since.

    Somebody who moves the alias to an older version in MLflow goes back as well.
    """
    for change in reversed(history):
        if change.version == version:
            return None
        if change.before == version:
            went_back = change.kind == "rollback" or (change.kind == "found" and int(change.version) < int(version))
            return change if went_back else None
    return None
