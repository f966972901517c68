"""The split that each clean row stands in, as the recipe says."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from luthier.data.clean_table import CleanTable
from luthier.data.content import digests
from luthier.data.deduplication import Deduplication
from luthier.data.splitting import SPLITS, TEST, TRAIN, VALIDATION, Shares, Strata, by_chance, by_hash, by_time, sample
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

NOWHERE = -1


def known_splits(rows: CleanTable, data: "DataSection") -> np.ndarray | None:
    """The splits of rows that stand in one by time, by hash or as given; None where chance will decide."""
    split = data.split
    shares = Shares(validation=split.validation, test=split.test)
    match split.by:
        case "given":
            return _given(rows)
        case "time":
            return by_time(rows.column("time"), shares)
        case "hash":
            content = rows.content if data.columns.group is None else _group_content(rows)
            return by_hash(content, shares, seed=split.seed)
    return None


def is_protected(known: np.ndarray | None, data: "DataSection") -> np.ndarray | None:
    """Rows of a test that the recipe gives: whatever says the same elsewhere leaves, never they."""
    return known == SPLITS.index(TEST) if data.split.by == "given" and known is not None else None


def assign(rows: CleanTable, same: Deduplication, known: np.ndarray | None, data: "DataSection") -> np.ndarray:
    """The split of every row, NOWHERE for rows that are not kept or not sampled."""
    splits = np.full(len(rows), NOWHERE)
    here = np.flatnonzero(same.keep)
    if not len(here):
        raise DataError("no row is left", remedy="check data.columns, data.labels and data.duplicates")
    if data.sample is not None:
        here = _sampled(rows, same, here, known, data.sample, data)
    if known is None:
        splits[here] = _by_chance(rows, same, here, data, Shares(data.split.validation, data.split.test))
        return splits
    splits[here] = known[here]
    if data.split.by == "given" and not (known == SPLITS.index(VALIDATION)).any():
        train = np.flatnonzero(splits == SPLITS.index(TRAIN))
        splits[train] = _by_chance(rows, same, train, data, Shares(data.split.validation, 0))
    return splits


def _sampled(
    rows: CleanTable, same: Deduplication, here: np.ndarray, known: np.ndarray | None, size: int, data: "DataSection"
) -> np.ndarray:
    """Rows of a given test are never left out."""
    free = here[~same.protected[here]]
    strata = _strata(rows.table["label_key"].take(free)).labels if data.label_kind == "single" else np.zeros(len(free))
    if known is not None:
        strata = strata * len(SPLITS) + known[free]
    chosen = free[sample(rows.content[free], strata, size, seed=data.split.seed)]
    return np.union1d(here[same.protected[here]], chosen)


def _by_chance(
    rows: CleanTable, same: Deduplication, here: np.ndarray, data: "DataSection", shares: Shares
) -> np.ndarray:
    stratified = data.split.by in ("stratified", "given") and data.label_kind == "single"
    strata = _strata(rows.table["label_key"].take(here)) if stratified else None
    return by_chance(rows.content[here], same.units()[here], shares, seed=data.split.seed, strata=strata)


def _strata(labels: pa.ChunkedArray) -> Strata:
    encoded = labels.combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    place = np.argsort(np.argsort(np.asarray(names)))
    return Strata(place[encoded.indices.to_numpy()], sorted(names))


def _given(rows: CleanTable) -> np.ndarray:
    codes = rows.codes("split")
    names = rows.table["split"].unique().drop_null().to_pylist()
    return np.asarray([SPLITS.index(name) for name in names])[codes]


def _group_content(rows: CleanTable) -> np.ndarray:
    return digests(rows.table["group"].unique().to_pylist())[rows.codes("group")]
