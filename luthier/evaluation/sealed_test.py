"""The test split, which nothing but an evaluation reads: import contracts hold the rest of the project to it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.evaluation.test_rows import content_digest


def read_test(splits: Path) -> pa.Table:
    """The test rows of a folder of splits."""
    return pq.read_table(splits / "test.parquet")


def digest_of_test(splits: Path) -> str:
    """What names the test rows of a folder of splits, by which their readings are counted."""
    return content_digest(read_test(splits))
