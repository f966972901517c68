from collections.abc import Callable
from pathlib import Path

from luthier.data_report.report import DataReport, read_data_report, write_data_report

Make = Callable[..., DataReport]


def test_a_report_that_was_written_is_read_back_equal(make_report: Make, hostile: str, tmp_path: Path) -> None:
    report = make_report((hostile, "שלום", "yes"), text=hostile, leaks={"near": {"train/test": 1}})
    write_data_report(report, tmp_path / "report")
    assert read_data_report(tmp_path / "report") == report
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written == {"data_report.json", "report.html", "lengths.png", "balance.png"}


def test_the_same_report_gives_the_same_bytes(make_report: Make, tmp_path: Path) -> None:
    report = make_report()
    for name in ("a", "b"):
        write_data_report(report, tmp_path / name)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_rows_without_labels_have_no_picture_of_their_balance(make_report: Make, tmp_path: Path) -> None:
    report = make_report(balance={})
    write_data_report(report, tmp_path / "report")
    assert report.labels == []
    assert not (tmp_path / "report" / "balance.png").exists()


def test_reasons_show_three_examples_whatever_they_mention_and_frequent_ones_come_first(make_report: Make) -> None:
    rejected = [
        ("a.csv", 2, "empty text", "empty text", ""),
        *(("a.csv", line, "duplicate", f"duplicate of line {line % 7}", "x" * 900) for line in range(10, 30)),
        *(
            ("b.csv", line, "label not in labels", f"label 'l{line}' is not one of 'no', 'yes'", "raw")
            for line in range(40, 45)
        ),
    ]
    examples = make_report(rejected=rejected).rejected
    assert [(example.file, example.line) for example in examples] == [
        *(("a.csv", line) for line in (10, 11, 12)),
        *(("b.csv", line) for line in (40, 41, 42)),
        ("a.csv", 2),
    ]
    assert examples[0].reason == "duplicate of line 3"
    assert len(examples[0].raw) == 200
    assert examples[0].raw.endswith("x…")


def test_previews_are_five_rows_from_all_over_each_split(make_report: Make) -> None:
    previews = make_report().previews
    assert [row.row for row in previews["train"]] == [0, 12, 24, 36, 48]
    assert previews["test"][1].text == "a text 84"
    assert {row.label for row in previews["validation"]} == {"no"}


def test_long_texts_are_cut_and_examples_are_few(make_report: Make) -> None:
    example = {"similarity": 0.9, "first": "k" * 5000, "second": "d"}
    near = {"pairs": 99, "threshold": 0.8, "examples": [example] * 99}
    report = make_report(text="t" * 5000, near_duplicates=near)
    assert len(report.facts["near_duplicates"]["examples"]) == 10
    assert len(report.facts["near_duplicates"]["examples"][0]["first"]) == 400
    assert len(report.leaks["nearest"]["text_a"]) == len(report.previews["test"][0].text) == 400
    assert report.facts["near_duplicates"]["pairs"] == 99


def test_labels_with_the_most_training_rows_come_first(make_report: Make) -> None:
    balance = {
        "train": {"a": 1, "b": 9, "c": 5},
        "validation": {"a": 9, "b": 0, "c": 1},
        "test": {"a": 1, "b": 1, "c": 1},
    }
    assert make_report(("a", "b", "c"), balance=balance).labels == ["b", "c", "a"]
