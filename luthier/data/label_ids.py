"""Labels by name and by number: which there are, and the ids that a model is trained on."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from luthier.data.clean_table import CleanTable
from luthier.data.label_values import NAMELESS
from luthier.errors import DataError

if TYPE_CHECKING:
    from luthier.recipe.data_section import DataSection

LABEL_IDS = {"single": pa.int64(), "multi": pa.list_(pa.int64())}


def label_names(rows: CleanTable, kept: np.ndarray, data: "DataSection") -> list[str]:
    """The labels in the order of their ids: as the recipe lists them, else those of the kept rows, sorted.

    Numbers, texts and answers have none. Raises DataError when a single label is all there is.
    """
    if data.label_kind in NAMELESS:
        return []
    found = values(rows.table["label"].filter(pa.array(kept)))
    present = sorted(pc.unique(found).drop_null().to_pylist())
    if len(present) < (2 if data.label_kind == "single" else 1):
        raise DataError(
            f"all {int(kept.sum())} rows have {f'the label {present[0]!r}' if present else 'no label'}",
            received=data.columns.label,
            remedy="check data.columns.label and data.labels: there must be two labels at least",
        )
    return rows.labels or present


def label_ids(labels: pa.ChunkedArray, names: list[str], kind: str) -> pa.Array | pa.ChunkedArray:
    """The id of every label; lists of ids where a row has several labels, null where ids mean nothing."""
    if kind not in LABEL_IDS:
        return pa.nulls(len(labels), pa.int64())
    if kind == "single":
        return pc.index_in(labels, value_set=pa.array(names, pa.string())).cast(pa.int64())
    lists = labels.combine_chunks()
    ids = pc.index_in(lists.flatten(), value_set=pa.array(names, pa.string())).cast(pa.int64())
    return pa.ListArray.from_arrays(lists.offsets, ids)


def label_counts(labels: pa.ChunkedArray, names: list[str]) -> dict[str, int]:
    """Rows of each label, in the order of the ids."""
    if not names:
        return {}
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(values(labels)).to_pylist()}
    return {name: counts.get(name, 0) for name in names}


def values(labels: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Single labels: those of lists and of spans taken out."""
    if pa.types.is_list(labels.type):
        labels = pc.list_flatten(labels)
    return pc.struct_field(labels, "label") if pa.types.is_struct(labels.type) else labels
