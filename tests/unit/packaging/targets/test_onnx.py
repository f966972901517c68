"""ONNX files under onnxruntime beside the model they were made from."""

import json
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from pydantic import ValidationError

from luthier.errors import ModelError, ParityError
from luthier.models.loading import load_tokenizer
from luthier.packaging.targets.onnx import FILES, Onnx
from luthier.tasks.task import Predictions
from tests.unit.packaging.targets.proven import proven
from tests.unit.packaging.tuned import TEXTS

LOOSE = Onnx(int8_agreement=0.0, int8_difference=1.0)


@pytest.mark.parametrize(
    ("kind", "family", "method"),
    [
        ("single", "bert", "lora"),
        ("single", "roberta", "full"),
        ("single", "llama", "lora"),
        ("single", "gpt2", "lora"),
        ("number", "distilbert", "lora"),
        ("tags", "modernbert", "lora"),
        ("answers", "deberta-v2", "bitfit"),
    ],
)
def test_both_precisions_answer_rows_within_their_bounds(kind, family, method, tmp_path):
    model = proven(kind, tmp_path, family=family, kind=method)
    folder = tmp_path / "onnx"
    folder.mkdir()
    LOOSE.write(model, folder)
    facts = LOOSE.prove(model, folder)
    assert facts["parity"]["agreeing"] == facts["parity"]["rows"] == 4
    assert facts["parity"]["largest_difference"] < 1e-5
    assert 0 < facts["int8"]["largest_difference"] < 0.5, "8 bits that change nothing are none"
    assert facts["files"] == {name: (folder / file).stat().st_size for name, file in FILES.items()}
    assert set(facts["latency"]) == {"inputs", "runs", "threads", "torch", "float32", "int8"}
    assert facts["latency"]["torch"]["speedup"] == 1
    json.dumps(facts)


def test_the_file_takes_any_number_of_rows_and_tokens_with_the_packaged_tokenizer_alone(tmp_path):
    model = proven("single", tmp_path)
    folder = tmp_path / "onnx"
    folder.mkdir()
    Onnx(precisions=["float32"]).write(model, folder)
    assert not (folder / FILES["int8"]).exists()
    onnx.checker.check_model(folder / FILES["float32"])
    session, tokenizer = onnxruntime.InferenceSession(folder / FILES["float32"]), load_tokenizer(folder)
    known = np.stack(model.expected.evidence)
    for texts in (TEXTS, TEXTS[:1], TEXTS[2:]):
        logits = session.run(["logits"], dict(tokenizer(texts, padding=True, return_tensors="np")))[0]
        probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(probabilities, known[[TEXTS.index(text) for text in texts]], atol=1e-5)


def test_int8_beyond_its_bounds_is_refused_with_the_numbers(tmp_path):
    model = proven("single", tmp_path)
    folder = tmp_path / "onnx"
    folder.mkdir()
    strict = Onnx(int8_agreement=1.0, int8_difference=1e-9)
    strict.write(model, folder)
    with pytest.raises(ParityError, match=r"(?s)int8.*of 4 answers agree .*largest difference is 0\.\d+.*\[float32\]"):
        strict.prove(model, folder)


def test_a_graph_of_other_weights_is_refused(tmp_path):
    model = proven("single", tmp_path)
    folder = tmp_path / "onnx"
    folder.mkdir()
    LOOSE.write(model, folder)
    moved = Predictions(model.expected.answers, [row + np.float32([0.01, -0.01]) for row in model.expected.evidence])
    with pytest.raises(ParityError, match="ONNX float32"):
        LOOSE.prove(replace(model, expected=moved), folder)


def test_without_its_packages_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("luthier.packaging.targets.onnx.PACKAGES", ("onnx", "no_such_package"))
    with pytest.raises(ModelError, match=r"(?s)no_such_package.*pip install \"luthier\[onnx\]\""):
        Onnx().require(tmp_path)


def test_int8_needs_float32():
    with pytest.raises(ValidationError, match="must have float32"):
        Onnx(precisions=["int8"])
