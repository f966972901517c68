"""Drift: how new rows differ from those that the champion was trained on."""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from luthier.data.new_rows import Rows, content_of, lacking, read_rows
from luthier.data.splitting import TRAIN
from luthier.data.tables import read_facts, write_facts
from luthier.data.two_samples import FEWEST, Distance, classifier_distance, order_distance, share_distance

log = logging.getLogger(__name__)

LABELS, LENGTHS, EMBEDDINGS = ASPECTS = ("label_share", "length", "embedding")
TITLES: Final[Mapping[str, str]] = {LABELS: "labels", LENGTHS: "lengths", EMBEDDINGS: "embeddings"}
# A distance that chance alone makes more often than this is no drift, however great: there are few rows then.
CHANCE = 0.01
MOST_EMBEDDED = 500
EMBEDDED_TOKENS = 256
# A greater base would take longer to load and run than all else that is done to the rows.
MOST_BYTES = 2_000_000_000
MOST_NAMED = 3
EXAMPLES = 5
DRIFT = "drift.json"


@dataclass(frozen=True)
class Difference:
    """One aspect; ``value`` is None where it was not compared, and ``said`` then says why."""

    aspect: str
    value: float | None
    chance: float | None
    said: str

    def exceeds(self, threshold: float | None) -> bool:
        """Whether the rows differ by more than the threshold and by more than chance."""
        if self.value is None or self.chance is None or threshold is None:
            return False
        return self.value > threshold and self.chance < CHANCE


@dataclass(frozen=True)
class Drift:
    """``examples`` are the new texts that look least like the champion's."""

    new_rows: int
    champion_rows: int
    differences: tuple[Difference, ...]
    examples: tuple[str, ...]


def write_drift(
    splits: Path, champion: Path, base: Path, folder: Path, *, aspects: Collection[str], max_length: int
) -> None:
    """Compares the rows of ``splits`` that ``champion`` (its splits) lacks with its training rows, in some aspects."""
    found = drift_between(splits, champion, base, aspects=aspects, max_length=max_length)
    write_facts(folder / DRIFT, asdict(found))


def read_drift(folder: Path) -> Drift:
    """What ``write_drift`` wrote."""
    facts = json.loads((folder / DRIFT).read_text(encoding="utf-8"))
    differences = tuple(Difference(**each) for each in facts.pop("differences"))
    return Drift(**{**facts, "differences": differences, "examples": tuple(facts["examples"])})


def drift_between(splits: Path, champion: Path, base: Path, *, aspects: Collection[str], max_length: int) -> Drift:
    """The differences between the new rows and the champion's training rows; none where no row is new.

    Those of the test split are among the new rows: of splits by time the newest are all there.
    """
    kind, kind_before = (read_facts(folder / "facts.json")["label_kind"] for folder in (splits, champion))
    content = content_of(splits)
    is_new = lacking(content, content_of(champion))
    trained = content_of(champion, [TRAIN])
    new = read_rows(splits, kind, content, is_new)
    old = read_rows(champion, kind_before, trained, np.ones(len(trained), dtype=bool), [TRAIN])
    return _differences(new, old, kind, kind_before, base, aspects, max_length)


def write_served_drift(
    served: Rows, champion: Path, base: Path, folder: Path, *, aspects: Collection[str], max_length: int
) -> None:
    """Compares rows that the champion was asked and answered with its training rows; labels are its own answers."""
    kind, trained = read_facts(champion / "facts.json")["label_kind"], content_of(champion, [TRAIN])
    old = read_rows(champion, kind, trained, np.ones(len(trained), dtype=bool), [TRAIN])
    write_facts(folder / DRIFT, asdict(_differences(served, old, kind, kind, base, aspects, max_length)))


def _differences(
    new: Rows, old: Rows, kind: str, kind_before: str, base: Path, aspects: Collection[str], max_length: int
) -> Drift:
    if not new.count or not old.count:
        return Drift(new.count, old.count, (), ())
    found: list[Difference] = []
    examples: list[str] = []
    if LABELS in aspects:
        found.append(label_difference(new, old, kind, kind_before))
    if LENGTHS in aspects:
        found.append(length_difference(new, old, base))
    if EMBEDDINGS in aspects:
        difference, examples = embedding_difference(new, old, base, max_length=max_length)
        found.append(difference)
    return Drift(new.count, old.count, tuple(found), tuple(examples))


def label_difference(new: Rows, old: Rows, kind: str, kind_before: str) -> Difference:
    """Shares of names; of numbers their order."""
    if kind != kind_before:
        return _not_compared(LABELS, f"the champion's labels are of kind {kind_before}, these of kind {kind}")
    if kind == "text":
        return _not_compared(LABELS, "texts to be generated have no shares")
    if kind == "number":
        medians = f"median {np.median(old.numbers):g} → {np.median(new.numbers):g}"
        return _compared(LABELS, order_distance(new.numbers, old.numbers), medians)
    return _compared(LABELS, share_distance(new.labels, old.labels), _shares(new.labels, old.labels))


def length_difference(new: Rows, old: Rows, base: Path) -> Difference:
    """Tokens of the texts, with their pairs, nothing cut."""
    from luthier.models.tokenizer import count_tokens

    before, after = (np.array(count_tokens(base, *_inputs(rows))) for rows in (old, new))
    medians = f"median {np.median(before):g} → {np.median(after):g} tokens"
    return _compared(LENGTHS, order_distance(after, before), medians)


def embedding_difference(new: Rows, old: Rows, base: Path, *, max_length: int) -> tuple[Difference, list[str]]:
    """How well the base's own features tell the rows apart, and the texts that look newest."""
    if min(len(new.texts), len(old.texts)) < FEWEST:
        rows = f"{len(new.texts)} new and {len(old.texts)} old rows"
        return _not_compared(EMBEDDINGS, f"{rows} are too few: {FEWEST} of each are needed"), []
    weights = sum(file.stat().st_size for file in base.glob("*.safetensors"))
    if weights > MOST_BYTES:
        return _not_compared(EMBEDDINGS, f"the base model has {weights / 1e9:.1f} GB, more than is loaded for this"), []
    from luthier.models.embeddings import embeddings

    after, before = (_joined(rows)[:MOST_EMBEDDED] for rows in (new, old))
    features = embeddings(base, [*after, *before], max_length=min(max_length, EMBEDDED_TOKENS))
    distance, looks = classifier_distance(features[: len(after)], features[len(after) :])
    newest = [after[place] for place in np.argsort(-looks, kind="stable")[:EXAMPLES]]
    return _compared(EMBEDDINGS, distance, f"{len(after)} new and {len(before)} old rows"), newest


def _compared(aspect: str, distance: Distance, said: str) -> Difference:
    return Difference(aspect, distance.value, distance.chance, said)


def _not_compared(aspect: str, why: str) -> Difference:
    return Difference(aspect, None, None, f"not compared: {why}")


def _shares(new: Mapping[str, int], old: Mapping[str, int]) -> str:
    """The labels whose shares differ most."""
    before, after = ({name: count / sum(counts.values()) for name, count in counts.items()} for counts in (old, new))
    names = sorted(
        before.keys() | after.keys(), key=lambda name: (-abs(after.get(name, 0) - before.get(name, 0)), name)
    )
    return ", ".join(f"{name} {before.get(name, 0):.1%} → {after.get(name, 0):.1%}" for name in names[:MOST_NAMED])


def _inputs(rows: Rows) -> list[Any]:
    return [rows.texts, [pair or "" for pair in rows.pairs]] if any(rows.pairs) else [rows.texts]


def _joined(rows: Rows) -> Sequence[str]:
    return [f"{text}\n{pair}" if pair else text for text, pair in zip(rows.texts, rows.pairs, strict=True)]
