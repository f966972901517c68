"""A batch with a real tiny model in a process of its own: killed at any time, and with ten times as many rows."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.packaging.merging import write_servable
from luthier.packaging.serving import Serving
from tests.conftest import BAD, GOOD, PLAIN
from tests.unit.packaging.tuned import SINGLE, tuned

ROWS = 200_000
KILLS = 4


@pytest.fixture(scope="module")
def plain(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny classifier that answers by chance."""
    folder = tmp_path_factory.mktemp("plain")
    made = tuned(tiny_bert, SINGLE, folder / "tuned", kind="lora")
    write_servable(made.method, made.base, made.folder, made.head, folder / "model")
    serving = Serving("text-classification", SINGLE, max_length=16, max_new_tokens=1, batch_size=128)
    (folder / "model" / "serving.json").write_text(json.dumps(serving.as_config()))
    return folder / "model"


def write_rows(path: Path, rows: int) -> Path:
    generator = random.Random(0)
    texts = [" ".join(generator.choices([*PLAIN, *GOOD, *BAD], k=generator.randrange(1, 7))) for _ in range(rows)]
    pq.write_table(pa.table({"id": range(rows), "text": texts}), path)
    return path


def started(plain: Path, given: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.prediction.batch_process", str(plain), str(given), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    said, problems = process.communicate()
    assert process.returncode == 0, problems
    return said


def test_killed_again_and_again_it_ends_in_the_same_bytes(plain, tmp_path):
    given = write_rows(tmp_path / "in.parquet", 25_000)
    ended(started(plain, given, tmp_path / "whole.parquet"))
    out, parts = tmp_path / "out.parquet", tmp_path / "out.parquet.parts"
    generator, seen = random.Random(1), 0
    for _ in range(KILLS):
        process = started(plain, given, out)
        while process.poll() is None and len(list(parts.glob("part-*"))) <= seen:
            time.sleep(0.005)
        time.sleep(generator.random() * 0.3)
        process.kill()
        process.wait()
        now = len(list(parts.glob("part-*")))
        assert now > seen or out.exists()
        seen = now
    assert seen and not out.exists()
    ended(started(plain, given, out))
    assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes() and not parts.exists()


def test_ten_times_the_rows_take_the_same_memory(plain, tmp_path):
    peaks = {}
    for rows in (ROWS // 10, ROWS):
        given = write_rows(tmp_path / f"{rows}.parquet", rows)
        peaks[rows] = int(ended(started(plain, given, tmp_path / f"answers-{rows}.parquet")))
        found = pq.read_table(tmp_path / f"answers-{rows}.parquet", columns=["id", "row", "label"])
        assert found["id"].to_pylist() == list(range(rows)) and found["label"].null_count == 0
    assert peaks[ROWS] < 1.1 * peaks[ROWS // 10], peaks
