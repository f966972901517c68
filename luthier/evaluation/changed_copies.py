"""Changed copies of test rows whose labels are still right: a model is asked them to see how steady its answers are."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from luthier.data.content import digests, ranks
from luthier.data.conversations import USER, Message, as_json, as_text
from luthier.data.text import joined
from luthier.evaluation.noise import NOISES, NOISES_IN_PLACE
from luthier.tasks.head import Head

Noise = Callable[[str], str]

MOST_ROWS: Final = 500
# A text's likelihood takes a pass through a larger model.
MOST_WRITTEN: Final = 100


@dataclass(frozen=True)
class Copies:
    """Rows changed in one way; ``inside`` is the mask of the test rows that they are made from, in their order."""

    name: str
    inside: np.ndarray
    rows: pa.Table


def changed_copies(test: pa.Table, head: Head) -> list[Copies]:
    """At most 500 rows, 100 where a model writes texts, in each way that leaves their labels right.

    Only rows that the change alters are there. Of a question and its text the question is changed; where labels lie
    at places in the text, no character moves; of a conversation the last turn of the user is changed.
    """
    places = sampled(test, MOST_WRITTEN if head.is_language_model else MOST_ROWS)
    chosen = test.take(pa.array(places))
    noises = NOISES_IN_PLACE if head.kind == "token-classification" else NOISES
    found = []
    for name, noise in noises.items():
        columns = _changed(chosen, head, noise)
        altered = np.array([any(new != old for new, old in rows) for rows in _compared(chosen, columns)], dtype=bool)
        if altered.any():
            inside = np.zeros(len(test), dtype=bool)
            inside[places[altered]] = True
            found.append(Copies(name, inside, _with(chosen, columns).filter(pa.array(altered))))
    return found


def copied_rows(test: pa.Table, head: Head) -> pa.Table | None:
    """The rows of all copies, one way after the other; None where no text can be changed."""
    found = [copies.rows for copies in changed_copies(test, head)]
    return pa.concat_tables(found) if found else None


def sampled(test: pa.Table, most: int) -> np.ndarray:
    """The places of a sample that follows from what the rows say, in the order of the rows."""
    keys = map(joined, test["text"].to_pylist(), test["pair"].to_pylist())
    order = np.argsort(ranks(digests(keys), "robustness"), kind="stable")
    return np.sort(order[:most])


def _changed(rows: pa.Table, head: Head, noise: Noise) -> dict[str, list[str | None]]:
    """The columns that change."""
    if head.kind == "question-answering":
        return {"pair": [_noisy(pair, noise) for pair in rows["pair"].to_pylist()]}
    texts = [_noisy(text, noise) for text in rows["text"].to_pylist()]
    if head.kind == "sequence-classification":
        return {"text": texts, "pair": [_noisy(pair, noise) for pair in rows["pair"].to_pylist()]}
    if not head.is_language_model or "messages" not in rows.column_names:
        return {"text": texts}
    said = [_last_turn(messages, noise) for messages in rows["messages"].to_pylist()]
    pairs = list(zip(texts, said, strict=True))
    return {
        "text": [text if turns is None else as_text(turns) for text, turns in pairs],
        "messages": [None if turns is None else as_json(turns) for _, turns in pairs],
    }


def _noisy(text: str | None, noise: Noise) -> str | None:
    """The text as it was where nothing visible would be left."""
    changed = noise(text) if text else text
    return changed if changed and changed.strip() else text


def _last_turn(written: str | None, noise: Noise) -> list[Message] | None:
    if written is None:
        return None
    turns = [Message(**turn) for turn in json.loads(written)]
    last = max(place for place, turn in enumerate(turns) if turn.role == USER)
    turns[last] = Message(USER, _noisy(turns[last].content, noise) or turns[last].content)
    return turns


def _compared(rows: pa.Table, columns: Mapping[str, list[str | None]]) -> list[list[tuple[str | None, str | None]]]:
    """New and old values of each row."""
    pairs = [zip(new, rows[name].to_pylist(), strict=True) for name, new in columns.items()]
    return [list(row) for row in zip(*pairs, strict=True)]


def _with(rows: pa.Table, columns: Mapping[str, list[str | None]]) -> pa.Table:
    for name, values in columns.items():
        field = rows.schema.field(name)
        rows = rows.set_column(rows.schema.get_field_index(name), field, pa.array(values, field.type))
    return rows
