from pathlib import Path

import pytest

from luthier.recipe.consistency import data_problems
from luthier.recipe.data_section import DataSection
from luthier.recipe.loading import load_recipe
from luthier.recipe.positions import parse_value
from luthier.recipe.problems import Places

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
        ("source: a.csv", ", pair: '{q'", "", "data.columns.pair", "a brace without its partner"),
        ("source: a.csv", ", answer_start: at", "", "data.columns.answer_start", "needs label_kind answers"),
        ("source: a.csv", ", messages: talk", "", "data.columns.messages", "stands instead of text and label"),
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


ANSWERS = "{text: text, label: label, pair: question, answer_start: at}"


@pytest.mark.parametrize(
    ("columns", "more", "field", "rule"),
    [
        ("{}", {}, "columns", "is required; rows without a text are conversations"),
        ("{id: id}", {}, "columns.text", "is required; rows without a text are conversations"),
        ("{label: label}", {}, "columns.text", "is required with columns.label"),
        ("{text: text}", {}, "columns.label", "is required with columns.text"),
        ("{messages: talk}", {}, "columns.messages", "needs label_kind text"),
        ("{messages: talk, pair: more}", {"label_kind": "text"}, "columns.pair", "means nothing with columns.messages"),
        ("{text: text, label: label}", {"label_kind": "answers"}, "columns.pair", "is required for label_kind answers"),
        (ANSWERS, {"label_kind": "answers", "labels": ["a", "b"]}, "labels", "means nothing"),
        (ANSWERS, {"label_kind": "answers", "label_map": {"a": "b"}}, "label_map", "means nothing"),
        ("{text: text, label: label, pair: more}", {"label_kind": "tags"}, "columns.pair", "means nothing"),
        ("{text: text, label: label, pair: more}", {"label_kind": "spans"}, "columns.pair", "means nothing"),
    ],
)
def test_columns_and_label_kinds_that_do_not_go_together_are_a_problem(columns, more, field, rule) -> None:
    found = _problems(columns, **more)
    assert list(found) == [f"data.{field}"]
    assert rule in found[f"data.{field}"]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ("{}", "text"),
        ("{group: author}", "text"),
        ("{messages: talk, id: id}", "text"),
        ("{text: text, label: label, pair: '{a} {b}'}", "number"),
        ("{text: text, label: label, pair: more}", "multi"),
        ("{text: text, label: label}", "tags"),
        (ANSWERS, "answers"),
    ],
)
def test_columns_of_pairs_conversations_tags_and_answers_are_accepted(columns, kind) -> None:
    assert _problems(columns, label_kind=kind) == {}


def _problems(columns: str, **more: object) -> dict[str, str]:
    by = {"by": "group" if "group" in columns else "random"}
    data = DataSection.model_validate({"source": "a.csv", "columns": parse_value(columns), "split": by, **more})
    return {problem.field: problem.rule for problem in data_problems(data, Places(Path("r.yaml"), {}))}


@pytest.mark.parametrize(
    ("sections", "field", "rule"),
    [
        ("method: {kind: prompt, init_text: good}", "method.init_text", "is read with init: text alone"),
        ("method: {kind: prompt, init: text}", "method.init_text", "is required"),
        ("method: {kind: prefix, encoder_hidden_size: 8}", "method.encoder_hidden_size", "prefix_projection: true"),
        (
            "method: {kind: prefix}\ntraining: {activation_checkpointing: true}",
            "training.activation_checkpointing",
            "prefix cannot recompute activations",
        ),
        (
            "method: {kind: qlora}\ntraining: {precision: float32}",
            "training.precision",
            "contradicts method.quantization.compute_dtype, bfloat16",
        ),
        ("base_model: {source: m, continued: adapter}", "base_model.continued", "it needs adapter_of"),
        (
            "method: {kind: full}\nbase_model: {adapter_of: other, continued: adapter}",
            "base_model.continued",
            "full has no adapter to go on from",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(problems, sections, field, rule):
    base = "" if "base_model" in sections else "base_model: {source: model}\n"
    text = f"task: text-classification\ndata: {{source: a.csv, columns: {{text: t, label: l}}}}\n{base}{sections}\n"
    found = problems(text=text)
    assert set(found) == {field}
    assert rule in found[field].rule


@pytest.mark.parametrize(
    "sections",
    [
        "method: {kind: qlora}\ntraining: {precision: bfloat16}",
        "method: {kind: prefix, prefix_projection: true, encoder_hidden_size: 8}",
        "method: {kind: prompt, init: text, init_text: good}",
        "method: {kind: lora}\ntraining: {activation_checkpointing: true}",
    ],
)
def test_settings_that_agree_are_not(write, sections):
    load_recipe(write(f"{sections}\n"))


@pytest.mark.parametrize("field", ["label_f1", "calibration_error"])
@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("text-classification", "number"),
        ("token-classification", "spans"),
        ("question-answering", "answers"),
        ("text-generation", "text"),
        ("summarization", "text"),
    ],
)
def test_a_gate_on_labels_or_their_probabilities_needs_labels(problems, task, kind, field) -> None:
    pair = ", pair: question" if kind == "answers" else ""
    text = WHOLE.format(sources="source: a.csv", columns=pair, more=f"label_kind: {kind}").replace(
        "task: text-classification", f"task: {task}"
    )
    found = problems(text=f"{text}evaluation:\n  target: 1\n  gate: {{{field}: 0.1, size_mb: 9}}\n")
    assert list(found) == [f"evaluation.gate.{field}"]
    assert "label_kind single or multi of text-classification" in found[f"evaluation.gate.{field}"].rule
    assert (found[f"evaluation.gate.{field}"].received, found[f"evaluation.gate.{field}"].line) == (0.1, 10)


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_a_gate_on_labels_and_their_probabilities_is_for_classes(write, kind) -> None:
    asked = "evaluation:\n  gate: {label_f1: 0.1, calibration_error: 0.1}\n"
    text = WHOLE.format(sources="source: a.csv", columns="", more=f"label_kind: {kind}")
    assert load_recipe(write(text=text + asked)).recipe.evaluation.gate.calibration_error == 0.1
