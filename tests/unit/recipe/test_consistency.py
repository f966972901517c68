import pytest

from luthier.recipe.loading import load_recipe

WHOLE = """
task: text-classification
data:
  {sources}
  columns: {{text: text, label: label{columns}}}
  {more}
base_model: {{source: model}}
"""
SPLIT_FILES = "train: a.csv\n  test: b.csv"


@pytest.mark.parametrize(
    ("sources", "columns", "more", "field", "rule"),
    [
        ("sample: 20", "", "", "data.source", "is required, or train and test"),
        ("source: a.csv\n  test: b.csv", "", "", "data.test", "stands instead of source"),
        ("train: a.csv", "", "", "data.test", "is required without source"),
        ("source: [a.csv, b.csv]", "", f"sha256: {'a' * 64}", "data.sha256", "is of a single source"),
        ("source: sql://URL", "", "", "data.query", "is required for a sql:// source"),
        ("source: a.csv", "", "query: select 1", "data.query", "needs a sql:// source"),
        ("source: a.csv", "", "split: {by: group}", "data.split.by", "needs data.columns.group"),
        ("source: a.csv", "", "split: {by: time}", "data.split.by", "needs data.columns.time"),
        ("source: a.csv", "", "split: {by: given}", "data.split.by", "needs data.train and data.test"),
        (SPLIT_FILES, "", "split: {by: random}", "data.split.by", "must be given"),
        ("source: a.csv", ", time: t", "split: {by: random}", "data.columns.time", "is used by"),
        ("source: a.csv", "", "label_kind: number\n  labels: [a, b]", "data.labels", "means nothing"),
        ("source: a.csv", "", "label_kind: multi\n  balance: weights", "data.balance", "needs label_kind single"),
        ("source: a.csv", "", "pattern: '('", "data.pattern", "not a regular expression"),
        ("source: a.csv", "", "pattern: '.*'", "data.pattern", "names no column"),
    ],
)
def test_a_contradiction_is_a_problem_of_its_field(problems, sources, columns, more, field, rule) -> None:
    found = problems(text=WHOLE.format(sources=sources, columns=columns, more=more))
    assert list(found) == [field]
    assert rule in found[field].rule


@pytest.mark.parametrize(
    ("sources", "more", "field"),
    [
        ("source: s3://me:hunter2@bucket/a.csv", "", "data.source"),
        ("source: [a.csv, 'https://x.org/a.csv?token=hunter2']", "", "data.source.1"),
        (SPLIT_FILES.replace("b.csv", "sql://u:hunter2@db/x"), "", "data.test"),
        ("source: a.csv", "augmentation: {kinds: [mask], model: 'hub://u:hunter2@o/n'}", "data.augmentation.model"),
    ],
)
def test_a_secret_in_a_source_is_refused_and_not_repeated(problems, sources, more, field) -> None:
    found = problems(text=WHOLE.format(sources=sources, columns="", more=more))
    assert "environment" in found[field].rule
    assert "hunter2" not in "".join(map(str, found.values()))


@pytest.mark.parametrize(
    ("sources", "columns", "more", "by", "origin"),
    [
        ("source: a.csv", "", "", "stratified", "default"),
        (SPLIT_FILES, "", "", "given", "default of data.train"),
        ("source: a.csv", ", split: part", "", "given", "default of data.columns.split"),
        ("source: a.csv", ", time: day", "", "time", "default of data.columns.time"),
        ("source: a.csv", ", group: author", "", "group", "default of data.columns.group"),
        ("source: a.csv", "", "label_kind: number", "random", "default of data.label_kind"),
        ("source: a.csv", ", group: author", "split: {by: hash}", "hash", "recipe"),
    ],
)
def test_how_rows_are_split_follows_from_what_is_named(write, sources, columns, more, by, origin) -> None:
    resolved = load_recipe(write(text=WHOLE.format(sources=sources, columns=columns, more=more)))
    assert resolved.flat()["data.split.by"] == by
    assert resolved.origins["data.split.by"] == origin
