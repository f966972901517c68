"""Rows that earlier tables have said already."""

import pyarrow as pa

from luthier.data.overlap import said_before

LONG = "the committee met on tuesday to discuss the new budget for the coming year and adjourned at noon"


def table(*texts: str, pairs: list[str] | None = None) -> pa.Table:
    return pa.table({"text": pa.array(texts, pa.string()), "pair": pa.array(pairs or [None] * len(texts), pa.string())})


def found(rows: pa.Table, *earlier: pa.Table, threshold: float = 0.8) -> list[bool]:
    return said_before(rows, earlier, threshold).tolist()


def test_a_text_is_known_whatever_its_case_and_punctuation_and_nearly_so_too():
    rows = table("A new film", "GOOD film!", LONG.replace("noon", "night"), "something else altogether")
    assert found(rows, table("good film"), table("other", LONG)) == [False, True, True, False]


def test_alike_rows_of_one_table_say_nothing_of_the_other():
    rows = table(LONG, LONG + " sharp")
    assert found(rows, table("other", "others")) == [False, False]


def test_of_pairs_both_texts_count():
    rows = table("where", "where", pairs=["is it", "was it"])
    assert found(rows, table("where", pairs=["is it"])) == [True, False]


def test_below_the_threshold_texts_are_new():
    assert found(table(LONG.replace("noon", "night")), table(LONG), threshold=1.0) == [False]


def test_nothing_earlier_and_no_rows():
    assert found(table("a", "b")) == [False, False]
    assert found(table(), table("a")) == []
