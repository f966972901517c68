import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from luthier.errors import DataError
from luthier.packaging.merging import write_servable
from luthier.packaging.serving import ServedModel, Serving, rows_of
from luthier.tasks import TASKS
from luthier.tasks.calibration import Calibration
from luthier.tasks.task import Inference
from tests.tiny_models import write_tiny_model
from tests.unit.packaging.tuned import ASKED, HEADS, TEXTS, Tuned, tuned

# With tied embeddings a random model says the last token again, for ever.
TALKATIVE = {"modules_to_save": ["lm_head"]}
CONVERSATION = json.dumps([{"role": "user", "content": "Hi"}])


def served(kind: str, tmp_path: Path, /, **settings) -> tuple[Tuned, ServedModel]:
    task, family = ASKED[kind]
    base = tmp_path / "base"
    write_tiny_model(family, base, chat=True)
    made = tuned(base, HEADS[kind], tmp_path / "tuned", **{"kind": "lora", **settings})
    write_servable(made.method, made.base, made.folder, made.head, tmp_path / "plain")
    return made, ServedModel(tmp_path / "plain", made.serving(task))


def asked(model: ServedModel, **columns) -> list[dict]:
    return model.answers(pa.table(columns)).to_pylist()


def evidence(model: ServedModel, texts, pairs=None) -> list:
    given = pa.table({"text": texts, **({"pair": pairs} if pairs else {})})
    return list(model.predict(rows_of(given), model.serving.inference(generated_rows=len(texts))).evidence)


def test_a_class_comes_with_its_probability(tmp_path):
    _, model = served("single", tmp_path)
    found = asked(model, text=TEXTS)
    for answer, probabilities in zip(found, evidence(model, TEXTS), strict=True):
        assert answer["probability"] == probabilities.max()
        assert answer["label"] == ("bad", "good")[probabilities.argmax()]
    assert len({answer["probability"] for answer in found}) == len(TEXTS)


def test_several_labels_and_all_probabilities_are_json(tmp_path):
    _, model = served("multi", tmp_path)
    for answer in asked(model, text=TEXTS):
        probabilities = json.loads(answer["probabilities"])
        assert list(probabilities) == ["drama", "fun", "short"]
        assert json.loads(answer["labels"]) == [label for label, value in probabilities.items() if value >= 0.5]


def test_a_stored_calibration_changes_probabilities_and_thresholds_say_which_labels_are_given(tmp_path):
    _, model = served("multi", tmp_path)
    plain = evidence(model, TEXTS)
    limits = tuple(float(value) for value in np.stack(plain).mean(axis=0))
    model.serving = Serving.from_config(replace(model.serving, calibration=Calibration(2.0, limits)).as_config())
    found = asked(model, text=TEXTS)
    for answer, row in zip(found, plain, strict=True):
        probabilities = 1 / (1 + np.exp(-np.log(row / (1 - row)) / 2))
        assert list(json.loads(answer["probabilities"]).values()) == pytest.approx(probabilities.tolist(), abs=2e-6)
        given = [
            label
            for label, value, limit in zip(HEADS["multi"].labels, probabilities, limits, strict=True)
            if value >= limit
        ]
        assert json.loads(answer["labels"]) == given
    halves = [[label for label, value in json.loads(a["probabilities"]).items() if value >= 0.5] for a in found]
    assert halves != [json.loads(answer["labels"]) for answer in found]


def test_a_temperature_leaves_the_class_and_moves_its_probability(tmp_path):
    _, model = served("single", tmp_path)
    plain = asked(model, text=TEXTS)
    model.serving = replace(model.serving, calibration=Calibration(3.0))
    for before, after in zip(plain, asked(model, text=TEXTS), strict=True):
        logit = np.log(before["probability"] / (1 - before["probability"])) / 3
        assert after["label"] == before["label"]
        assert after["probability"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-6)


def test_regression_answers_a_number(tmp_path):
    _, model = served("number", tmp_path)
    assert [answer["value"] for answer in asked(model, text=TEXTS)] == [row[0] for row in evidence(model, TEXTS)]


def test_spans_are_json_in_characters_of_the_text(tmp_path):
    _, model = served("tags", tmp_path)
    found = [json.loads(answer["spans"]) for answer in asked(model, text=TEXTS)]
    assert any(found)
    for text, spans in zip(TEXTS, found, strict=True):
        assert all(text[span["start"] : span["end"]] == span["text"] and span["label"] == "thing" for span in spans)


def test_an_answer_is_part_of_its_text_and_depends_on_the_question(tmp_path):
    _, model = served("answers", tmp_path)
    found = asked(model, text=TEXTS, pair=["what was it?"] * len(TEXTS))
    for answer, text in zip(found, TEXTS, strict=True):
        assert text[answer["start"] : answer["end"]] == answer["answer"]
    assert all(0 < answer["score"] < 1 for answer in found)
    assert found != asked(model, text=TEXTS, pair=["a"] * len(TEXTS))


@pytest.mark.parametrize("kind", ["causal", "seq2seq"])
def test_a_text_is_generated_for_every_row(kind, tmp_path):
    _, model = served(kind, tmp_path, **TALKATIVE)
    found = [answer["answer"] for answer in asked(model, text=TEXTS * 3)]
    assert len(found) == 12 and found[:4] == found[4:8] == found[8:] and any(found)


def test_a_conversation_is_answered_instead_of_a_text(tmp_path):
    _, model = served("causal", tmp_path, **TALKATIVE)
    messages = [json.dumps([{"role": "user", "content": text}]) for text in TEXTS]
    found = asked(model, messages=messages)
    assert found == asked(model, text=TEXTS)
    assert len({answer["answer"] for answer in found}) > 1


def test_a_prompt_is_given_the_very_tokens_that_training_gave_it(tmp_path):
    made, model = served("causal", tmp_path)
    from luthier.models.loading import load_tokenizer

    given = pa.table({"text": TEXTS, "label": ["so"] * 4, **dict.fromkeys(("pair", "messages"), [None] * 4)})
    task = TASKS["text-generation"]
    trained, packaged = (
        task.encode(given, tokenizer, made.head, max_length=64).columns["input_ids"]
        for tokenizer in (load_tokenizer(made.base), model.tokenizer)
    )
    assert trained == packaged and all(trained)


def test_no_rows_have_no_answers_in_the_same_columns(tmp_path):
    _, model = served("single", tmp_path)
    found = model.answers(pa.table({"text": pa.array([], pa.string())}))
    assert (found.num_rows, found.column_names) == (0, ["label", "probability"])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"text": ["a", None]}, "row 1 has no text"),
        ({"text": ["a", " "]}, "row 1 has no text"),
        ({"text": [None, None], "messages": [CONVERSATION, None]}, "row 1 has no text"),
        ({"messages": ["hello", CONVERSATION]}, "messages of row 0"),
        ({"messages": [CONVERSATION, '[{"role": "user"}]']}, "messages of row 1"),
        ({"messages": [CONVERSATION, "[]"]}, "messages of row 1"),
        ({"text": ["a", "b"], "pair": ["c", None]}, "row 1 has no pair"),
    ],
)
def test_a_row_that_lacks_something_is_named(columns, said):
    with pytest.raises(DataError, match=said):
        rows_of(pa.table(columns))


def test_a_conversation_that_the_chat_template_refuses_is_an_error_and_no_empty_answer(tmp_path):
    _, model = served("causal", tmp_path)
    strict = "{{ raise_exception('no system') if messages[0]['role'] == 'system' else '' }}"
    model.tokenizer.chat_template = strict + model.tokenizer.chat_template
    assert asked(model, messages=[CONVERSATION])
    refused = json.dumps([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    with pytest.raises(DataError, match=r"refuses the conversation of row 1"):
        asked(model, messages=[CONVERSATION, refused])


@pytest.mark.parametrize("kind", ["prompt", "prefix", "lora"])
def test_a_long_prompt_leaves_room_for_its_answer_and_for_virtual_tokens(kind, tmp_path):
    made = tuned(write_tiny_model("gpt2", tmp_path / "base", chat=True), HEADS["causal"], tmp_path / "tuned", kind=kind)
    write_servable(made.method, made.base, made.folder, made.head, tmp_path / "plain")
    model = ServedModel(tmp_path / "plain", replace(made.serving("text-generation"), max_length=128, max_new_tokens=30))
    model.model.generation_config.eos_token_id = None
    assert len(asked(model, text=["the film was good " * 20])) == 1


@pytest.mark.parametrize("kind", ["lora", "bottleneck", "prompt"])
def test_how_a_model_is_asked_survives_json(kind, tmp_path):
    made, model = served("single", tmp_path, kind=kind)
    serving = Serving.from_config(json.loads(json.dumps(model.serving.as_config())))
    assert serving == made.serving("text-classification")
    assert (serving.method is None) == made.method.merges
    assert serving.inference(generated_rows=7) == Inference(32, 2, 4, 7)
