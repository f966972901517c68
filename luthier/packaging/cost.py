"""What a model costs where it serves: its size, and how long a row takes."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from luthier.methods import Method
from luthier.tasks.head import Head

if TYPE_CHECKING:
    from luthier.packaging.serving import ServedModel, Serving

TIMED_ROWS: Final = 50
# The first rows pay for memory and kernels that later ones find ready.
WARM_UP: Final = 5


@dataclass(frozen=True)
class ServingCost:
    """Of the model alone, asked in this process for one row at a time; ``rows`` were timed."""

    megabytes: float
    latency_ms: float
    latency_p95_ms: float
    rows: int


def serving_cost(
    method: Method, model: Path, tuned: Path, head: Head, serving: "Serving", rows: pa.Table, scratch: Path
) -> ServingCost:
    """Writes the model as it would be packaged into a folder in ``scratch``, loads it and times it on ``rows``."""
    # Both import torch and transformers, which reading a report need not wait for.
    from luthier.packaging.merging import write_servable
    from luthier.packaging.serving import ServedModel

    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        write_servable(method, model, tuned, head, folder)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        served = ServedModel(folder, serving)
    timed = [_milliseconds(served, rows[row : row + 1]) for row in range(min(len(rows), WARM_UP + TIMED_ROWS))]
    timed = timed[WARM_UP:] or timed
    return ServingCost(size / 1e6, median(timed), float(np.quantile(timed, 0.95)), len(timed))


def _milliseconds(served: "ServedModel", row: pa.Table) -> float:
    began = time.perf_counter()
    served.predict(row, served.serving.inference(generated_rows=1))
    return (time.perf_counter() - began) * 1000
