"""A file answered: whatever its form, each row in its place with an answer or a reason; killed and resumed alike."""

import csv
import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from luthier.errors import DataError, LuthierError
from luthier.prediction import batch
from luthier.prediction.batch import Answered, AskedModel, Progress, predict_file
from luthier.prediction.input_file import InputFile
from luthier.prediction.parts import claimed
from luthier.prediction.prompts import ModelInputs
from luthier.recipe.data_section import DataSection

OUTPUTS = pa.schema({"label": pa.string(), "probability": pa.float64()})


def says(rows: pa.Table) -> pa.Table:
    """The text backwards; refuses whole chunks that have the word."""
    texts = rows["text"].to_pylist()
    if "refused" in texts:
        raise DataError(f"the word is refused of row {texts.index('refused')}")
    columns = [[text[::-1] for text in texts], [float(len(text)) for text in texts]]
    return pa.table(columns, schema=OUTPUTS)


MODEL = AskedModel("reviews", "3", ModelInputs(["text"], ["text"]), OUTPUTS, says)
DATA = DataSection.model_validate({"source": "x.csv", "columns": {"text": "review", "label": "stars"}})


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "CHUNK_ROWS", 10)


@pytest.fixture
def answer(tmp_path: Path) -> Callable[..., Answered]:
    def _answer(given: Path, out: str = "out.parquet", *, model: AskedModel = MODEL, data=DATA, form="", **more: Any):
        path = tmp_path / out
        with claimed(path) as folder:
            return predict_file(InputFile(given, form or given.suffix[1:]), path, model, data, folder, **more)

    return _answer


def table(rows: int, **columns: list) -> pa.Table:
    generator = random.Random(rows)
    texts = ["x" * generator.randrange(1, 30) + str(row) for row in range(rows)]
    return pa.table({"id": pa.array(range(rows), pa.int32()), "review": texts, **columns})


@pytest.mark.parametrize("group", [3, 10, 1000])
def test_rows_keep_their_order_columns_and_types_whatever_the_row_groups_are(tmp_path, answer, group):
    given = table(47).append_column("tags", pa.array([["a", "b"]] * 47)).append_column("label", pa.array(["old"] * 47))
    pq.write_table(given, tmp_path / "in.parquet", row_group_size=group)
    ended = answer(tmp_path / "in.parquet")
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(given.column_names).replace_schema_metadata() == given
    assert found["predicted_label"].to_pylist() == [text[::-1] for text in given["review"].to_pylist()]
    assert found["row"].to_pylist() == list(range(1, 48)) and set(found["model_version"].to_pylist()) == {"3"}
    assert (ended.rows, ended.unanswered) == (47, 0)
    assert ended.columns == ("predicted_label", "probability", "row", "model_version", "reason")
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "out.parquet"}


def write_csv(path: Path, given: pa.Table, delimiter: str = ",") -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(given.column_names)
        writer.writerows(zip(*given.to_pydict().values(), strict=True))


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "json", "arrow", "parquet"])
def test_all_forms_give_the_same_answers(tmp_path, answer, form):
    given, path = table(25), tmp_path / f"in.{form}"
    rows = given.to_pylist()
    match form:
        case "csv" | "tsv":
            write_csv(path, given, "," if form == "csv" else "\t")
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, rows)))
        case "json":
            path.write_text(json.dumps(rows))
        case "arrow":
            feather.write_feather(given, path)
        case "parquet":
            pq.write_table(given, path)
    answer(path)
    found = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["label"] for row in found] == [row["review"][::-1] for row in rows]
    assert [str(row["id"]) for row in found] == [str(row["id"]) for row in rows]


def test_lines_of_text_and_what_is_no_row_get_a_place_and_a_reason(tmp_path, answer):
    path = tmp_path / "in.jsonl"
    path.write_text(
        '{"review": "abc"}\n{broken\n{"review": "  "}\n{"other": 1}\n{"review": "refused"}\n{"review": "xyz"}'
    )
    ended = answer(path)
    found = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [row["label"] for row in found] == ["cba", None, None, None, None, "zyx"]
    reasons = [row["reason"] for row in found]
    assert reasons[0] is None and "broken JSON" in reasons[1]
    assert reasons[2:] == ["empty text", "missing text", "the word is refused", None]
    assert ended.unanswered == 4 and "4 have none, and why in reason" in ended.said
    (tmp_path / "in.txt").write_text("good\n\nbad\n")
    answer(tmp_path / "in.txt", "lines.jsonl", form="text")
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [(line["text"], line["label"], line["row"]) for line in lines] == [("good", "doog", 1), ("bad", "dab", 2)]


def test_csv_and_json_lines_say_what_parquet_says(tmp_path, answer):
    given = table(12, note=['say "hi",\nthere'] * 12, tags=[["ä", None]] * 12, none=pa.nulls(12, pa.float64()))
    pq.write_table(given, tmp_path / "in.parquet")
    for out in ("out.csv", "out.jsonl", "out.parquet"):
        answer(tmp_path / "in.parquet", out)
    truth = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == truth
    with (tmp_path / "out.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["label"] for row in found] == [row["label"] for row in truth]
    assert found[0]["note"] == 'say "hi",\nthere' and json.loads(found[0]["tags"]) == ["ä", None]
    assert found[0]["none"] == "" and float(found[3]["probability"]) == truth[3]["probability"]


class Killed(BaseException):
    """As a kill: nothing may clean up after it but what the operating system does."""


@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl", "out.csv"])
@pytest.mark.parametrize("source", ["in.parquet", "in.csv"])
def test_ended_after_any_part_and_called_again_it_goes_on_and_ends_in_the_same_bytes(tmp_path, answer, out, source):
    given = table(57)
    pq.write_table(given, tmp_path / "in.parquet", row_group_size=7)
    write_csv(tmp_path / "in.csv", given)
    answer(tmp_path / source, f"whole-{out}")
    asked: list[int] = []

    def counted(rows: pa.Table) -> pa.Table:
        asked.append(len(rows))
        return says(rows)

    for stop in (10, 30, 57):

        def die(progress: Progress, stop: int = stop) -> None:
            if progress.done == stop and progress.done > progress.before:
                raise Killed

        with pytest.raises(Killed):
            answer(tmp_path / source, out, model=replace(MODEL, answer=counted), tell=die)
        assert not (tmp_path / out).exists()
        (tmp_path / f"{out}.parts" / ".part-000000.parquet.1.tmp").write_text("half")
    told: list[Progress] = []
    answer(tmp_path / source, out, model=replace(MODEL, answer=counted), tell=told.append)
    assert told == [Progress(57, 57, 57)] and asked == [10, 10, 10, 10, 10, 7]
    assert (tmp_path / out).read_bytes() == (tmp_path / f"whole-{out}").read_bytes()
    assert not (tmp_path / f"{out}.parts").exists()


def begun(tmp_path: Path, answer: Callable[..., Answered]) -> Path:
    pq.write_table(table(30), tmp_path / "in.parquet")

    def die(progress: Progress) -> None:
        if progress.done == 10:
            raise Killed

    with pytest.raises(Killed):
        answer(tmp_path / "in.parquet", tell=die)
    return tmp_path / "in.parquet"


def test_another_version_input_or_reading_is_refused_and_the_remedy_works(tmp_path, answer):
    given = begun(tmp_path, answer)
    other = replace(MODEL, version="4")
    with pytest.raises(LuthierError, match=r"the model's version other than now(.|\n)*give --version 3 to go on"):
        answer(given, model=other)
    with pytest.raises(LuthierError, match="what is read of a row other than now"):
        answer(given, text="id")
    pq.write_table(table(31), given)
    with pytest.raises(LuthierError, match=r"the input other than now(.|\n)*remove that folder"):
        answer(given)
    pq.write_table(table(30), given)
    assert answer(given).rows == 30


def test_a_damaged_part_is_made_again(tmp_path, answer):
    given = begun(tmp_path, answer)
    (tmp_path / "out.parquet.parts" / "part-000000.parquet").write_bytes(b"PAR1 no more")
    told: list[Progress] = []
    answer(given, tell=told.append)
    assert told[0].before == 0 and pq.read_table(tmp_path / "out.parquet").num_rows == 30


def test_a_finished_output_is_left_and_a_strange_one_not_overwritten(tmp_path, answer):
    given = tmp_path / "in.parquet"
    pq.write_table(table(30), given)
    first = answer(given)
    made = (tmp_path / "out.parquet").stat().st_mtime_ns
    assert answer(given) == first and (tmp_path / "out.parquet").stat().st_mtime_ns == made
    with pytest.raises(LuthierError, match="the output is there already"):
        answer(given, model=replace(MODEL, version="4"))
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(LuthierError, match="the output is there already"):
        answer(given, "out.csv")
    assert (tmp_path / "out.csv").read_text() == "mine"


def test_two_processes_do_not_write_one_output_and_nothing_stays_of_a_refusal(tmp_path, answer):
    pq.write_table(table(3), tmp_path / "in.parquet")
    with claimed(tmp_path / "out.parquet"), pytest.raises(LuthierError, match="another process"):
        answer(tmp_path / "in.parquet")
    with pytest.raises(LuthierError, match=r"nothing in the file says what the model is asked(.|\n)*--text"):
        answer(tmp_path / "in.parquet", data=DataSection.model_validate({"source": "x", "columns": {"text": "body"}}))
    with pytest.raises(LuthierError, match=r"let its name end in \.parquet, \.jsonl, \.csv"):
        answer(tmp_path / "in.parquet", "out.xlsx")
    with pytest.raises(LuthierError, match="no such folder"):
        answer(tmp_path / "in.parquet", "nowhere/out.parquet")
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet"}


def test_a_file_without_rows_gives_one_without_rows(tmp_path, answer):
    pq.write_table(table(0), tmp_path / "in.parquet")
    assert answer(tmp_path / "in.parquet").rows == 0
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0
