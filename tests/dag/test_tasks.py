"""Every kind of work from raw rows to a registered package that answers, each on a tiny model."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.dag.graph import checks, failure, metadata, remade
from tests.tiny_models import write_tiny_model

WORDS = ["film", "story", "scene", "actor", "plot", "music", "was", "the", "a", "then", "once", "here", "so", "and"]
ROWS = 60
GENERATED = "{metric: perplexity, target: 1.0e+6, max_new_tokens: 4, generated_rows: 2}"
FORMS = ["merged", "packaged", "packaged against merged", "served", "registered"]
TRAINING = "{epochs: 1, batch_size: 16, max_length: 64, learning_rate: 1.0e-3, threads: 1}"

Answer = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def deployed(graph, project, write_recipe, tmp_path) -> Callable[..., Answer]:
    """Runs the whole graph on rows and returns what asks the registered model."""

    def run(family: str, rows: list[dict[str, Any]], *, chat: bool = False, **sections: str) -> Answer:
        (project / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        base = write_tiny_model(family, tmp_path / "base", chat=chat)
        write_recipe(base=base, **{"training": TRAINING, **sections})
        result = graph.run()
        assert result.success, failure(result)
        assert checks(result)["best_checkpoint_reloads"] and checks(result)["meets_target"]
        parity = metadata(result, "deployed_artifact")["parity"]
        found = [re.fullmatch(r"([\w ]+): (\d+) of (\d+) agree (exactly|within 1e-0[34], .+)", line) for line in parity]
        assert [line[1] for line in found] == FORMS
        assert all(0 < int(line[2]) == int(line[3]) for line in found)
        assert [line[1] for line in found if line[4] == "exactly"] == ["packaged against merged"]
        champion = graph.tracking.load_version("tiny")
        return lambda **columns: champion.predict(pd.DataFrame(columns)).to_dict("records")

    return run


def texts(seed: int = 1) -> list[list[str]]:
    """The words of ``ROWS`` texts, no two nearly the same."""
    generator = random.Random(seed)
    return [[*generator.choices(WORDS, k=9), str(generator.randrange(1000))] for _ in range(ROWS)]


def data(kind: str, columns: str, **settings: str) -> str:
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    return f"{{source: rows.jsonl, label_kind: {kind}, columns: {columns}, augmentation: {{below: 0}}{more}}}"


def test_several_labels(deployed):
    rows = [
        {"text": " ".join(words), "tags": [label for place, label in enumerate(("fun", "long")) if row >> place & 1]}
        for row, words in enumerate(texts())
    ]
    answer = deployed(
        "bert", rows, data=data("multi", "{text: text, label: tags}"), evaluation="{metric: f1_micro, target: 0}"
    )
    for found in answer(text=["the film was good", "music"]):
        probabilities = json.loads(found["probabilities"])
        assert list(probabilities) == ["fun", "long"]
        assert json.loads(found["labels"]) == [label for label, value in probabilities.items() if value >= 0.5]


def test_a_number(deployed):
    rows = [{"text": " ".join(words), "stars": words.count("film") - 0.5} for words in texts()]
    answer = deployed(
        "gpt2", rows, data=data("number", "{text: text, label: stars}"), evaluation="{metric: mse, target: 1000}"
    )
    first, second = (found["value"] for found in answer(text=["the film was good", "music"]))
    assert isinstance(first, float) and first != second


def test_a_pair_of_texts(deployed):
    rows = [
        {"text": " ".join(words), "other": " ".join(others), "same": "yes" if row % 2 else "no"}
        for row, (words, others) in enumerate(zip(texts(1), texts(2), strict=True))
    ]
    answer = deployed(
        "roberta",
        rows,
        data=data("single", "{text: text, pair: other, label: same}"),
        training=TRAINING.replace("64", "128"),
        evaluation="{metric: accuracy, target: 0}",
    )
    found = answer(text=["the film"] * 2, pair=["a film", "the music was then"])
    assert {one["label"] for one in found} <= {"no", "yes"}
    assert found[0]["probability"] != found[1]["probability"]


def test_spans(deployed):
    rows = [
        {"text": " ".join(words), "tags": json.dumps(["B-number" if word.isdigit() else "O" for word in words])}
        for words in texts()
    ]
    answer = deployed(
        "bert",
        rows,
        task="token-classification",
        data=data("tags", "{text: text, label: tags}"),
        training=TRAINING.replace("epochs: 1", "epochs: 30").replace("1.0e-3", "1.0e-2"),
        method="{kind: full}",
        evaluation="{metric: seqeval_f1, target: 0.5}",
    )
    (found,) = answer(text=["then 417 was here"])
    assert json.loads(found["spans"]) == [{"start": 5, "end": 8, "label": "number", "text": "417"}]


def test_an_answer_in_a_text(deployed):
    rows = []
    for row, words in enumerate(texts()):
        text = " ".join(words)
        answers = [] if row % 5 == 0 else [{"text": words[-1], "answer_start": text.rindex(words[-1])}]
        rows.append({"text": text, "question": f"what number has {words[0]}?", "answers": json.dumps(answers)})
    answer = deployed(
        "bert",
        rows,
        task="question-answering",
        data=data("answers", "{text: text, pair: question, label: answers}"),
        evaluation="{metric: squad_f1, target: 0}",
    )
    text = "then the film was here " * 9
    for found in answer(text=[text] * 2, pair=["what was here?", "a film?"]):
        assert text[found["start"] : found["end"]] == found["answer"]
        assert 0 < found["score"] < 1


def test_a_conversation_and_a_model_is_evaluated_in_what_it_was_trained_for(deployed, graph):
    rows = [
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": " ".join(words)},
                {"role": "assistant", "content": words[0]},
            ]
        }
        for words in texts()
    ]
    data = "{source: rows.jsonl, label_kind: text}"
    training = TRAINING.replace("64", "128")
    answer = deployed(
        "llama", rows, chat=True, task="text-generation", data=data, training=training, evaluation=GENERATED
    )
    said = [json.dumps([{"role": "user", "content": "the film"}]), None]
    asked, plain = answer(messages=said, text=[None, "the film"])
    assert asked == plain and isinstance(asked["answer"], str)
    assert remade(graph.run("task=summarization", select="evaluation_report")) == set()


def test_a_summary_and_what_was_evaluated_is_what_is_deployed(deployed, graph):
    rows = [{"text": " ".join(words), "short": " ".join(words[:2])} for words in texts()]
    answer = deployed(
        "t5",
        rows,
        task="summarization",
        data=data("text", "{text: text, label: short}"),
        evaluation=GENERATED,
    )
    assert all(isinstance(found["answer"], str) for found in answer(text=["the film was good", "music"]))

    assert remade(graph.run("evaluation.max_new_tokens=2", select="evaluation_report")) == {"evaluation_report"}
    package = Path(metadata(graph.run(select="deployed_artifact"), "deployed_artifact")["package"])
    model = yaml.safe_load((package / "MLmodel").read_text())
    assert model["flavors"]["python_function"]["config"]["max_new_tokens"] == 2
