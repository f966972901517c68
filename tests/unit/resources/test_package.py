"""Packages as MLflow loads them, here and where Luthier is not installed."""

import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from luthier.errors import ParityError
from luthier.models.loading import load_tokenizer
from luthier.packaging.merging import load_reference, write_servable
from luthier.packaging.parity import require_parity
from luthier.tasks import TASKS
from luthier.tasks.calibration import Calibration
from resources.package import load_package, save_package
from tests.tiny_models import write_tiny_model
from tests.unit.packaging.tuned import ASKED, HEADS, TEXTS, Tuned, rows, tuned

QUESTIONS = ["what was it?", "how was it?", "what?", "the film?"]
# Blocks what an editable installation, or a run from the repository, would find, and what no requirement names.
ALONE = """
import importlib.util, json, sys
from pathlib import Path
packages, absent = json.loads(sys.argv[1])
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
sys.path[:] = [path for path in sys.path if not (Path(path) / "luthier").is_dir()]
assert importlib.util.find_spec("luthier") is None
sys.modules.update(dict.fromkeys(absent))
import mlflow, pandas
for package, frame in packages:
    model = mlflow.pyfunc.load_model(package)
    print("ANSWER", model.predict(pandas.DataFrame(frame)).to_json(orient="records", double_precision=15))
import luthier
print("ANSWER", json.dumps(luthier.__file__))
"""
ABSENT = ["bitsandbytes", "dagster", "datasets", "rensa", "typer"]
GIVEN = {
    "single": {"text": TEXTS},
    "tags": {"text": TEXTS},
    "answers": {"text": TEXTS, "pair": QUESTIONS},
    "causal": {"text": TEXTS},
}


def packaged(folder: Path, *, head: str = "single", kind: str = "lora", **columns):
    """A tuned model, its package, and what it was trained on."""
    folder.mkdir()
    task, family = ASKED[head]
    write_tiny_model(family, folder / "base")
    made = tuned(folder / "base", HEADS[head], folder / "tuned", kind=kind)
    write_servable(made.method, made.base, made.folder, made.head, folder / "model")
    save_package(folder / "model", folder / "package", made.serving(task), rows(**columns))
    return made, folder / "package"


def predictions(made: Tuned, task: str = "text-classification"):
    how = made.serving(task).inference(generated_rows=4)
    reference = load_reference(made.method, made.base, made.folder, made.head)
    return how, TASKS[task].predict(reference, load_tokenizer(made.base), rows(), made.head, how)


@pytest.mark.parametrize(
    ("kinds", "absent"),
    [
        ([("single", "lora"), ("answers", "bitfit"), ("causal", "full")], [*ABSENT, "peft", "accelerate"]),
        ([("single", "bottleneck"), ("tags", "prompt"), ("causal", "prefix")], ABSENT),
    ],
)
def test_packages_answer_alike_where_luthier_is_not_installed(kinds, absent, tmp_path):
    given = []
    for head, kind in kinds:
        pair = {"pair": QUESTIONS} if head == "answers" else {}
        given.append((str(packaged(tmp_path / f"{head}-{kind}", head=head, kind=kind, **pair)[1]), GIVEN[head]))
    script = [sys.executable, "-P", "-c", ALONE, json.dumps([given, absent])]
    ran = subprocess.run(script, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    lines = [line.removeprefix("ANSWER ") for line in ran.stdout.splitlines() if line.startswith("ANSWER ")]
    *printed, library = map(json.loads, lines)
    assert Path(library).parent == Path(given[0][0]) / "code" / "luthier"
    for (package, frame), answers in zip(given, printed, strict=True):
        here = mlflow.pyfunc.load_model(package).predict(pd.DataFrame(frame)).to_dict("records")
        assert [list(answer) for answer in answers] == [list(answer) for answer in here]
        for there, answer in zip(answers, here, strict=True):
            assert there == pytest.approx(answer, abs=1e-6)


@pytest.mark.parametrize("kind", ["lora", "bottleneck"])
def test_tampered_weights_are_refused_by_parity(kind, tmp_path):
    made, package = packaged(tmp_path / "made", kind=kind)
    how, expected = predictions(made)
    parity = require_parity("packaged", made.head, expected, load_package(package)(rows(), how))
    assert (parity.rows, parity.agreeing) == (4, 4)
    model = package / "artifacts" / "model"
    path = model / "model.safetensors" if kind == "lora" else model / "adapter" / "adapter_model.safetensors"
    weights = load_file(path)
    name = max(weights, key=lambda name: ("classifier" in name, name))
    save_file({**weights, name: weights[name] * 1.5}, path, metadata={"format": "pt"})
    with pytest.raises(ParityError, match="of 4 predictions differ"):
        require_parity("packaged", made.head, expected, load_package(package)(rows(), how))


def test_a_package_answers_with_the_thresholds_that_were_stored_with_it(tmp_path):
    made, plain = packaged(tmp_path / "made", head="multi")
    how, raw = predictions(made)
    limits = tuple(float(value) for value in np.stack(list(raw.evidence)).mean(axis=0))
    calibration = Calibration(1.7, limits)
    expected = calibration.applied(raw, made.head)
    assert expected.answers != raw.answers
    serving = replace(made.serving("text-classification"), calibration=calibration)
    save_package(tmp_path / "made" / "model", tmp_path / "calibrated", serving, rows())
    received = load_package(tmp_path / "calibrated")(rows(), how)
    parity = require_parity("packaged", made.head, expected, received, calibration=calibration)
    assert (parity.agreeing, parity.rows) == (4, 4)
    asked = mlflow.pyfunc.load_model(tmp_path / "calibrated").predict(pd.DataFrame({"text": TEXTS}))
    assert [json.loads(labels) for labels in asked["labels"]] == expected.answers
    with pytest.raises(ParityError, match="predictions differ"):
        require_parity("packaged", made.head, expected, load_package(plain)(rows(), how), calibration=calibration)


def test_a_package_has_no_pickle_and_names_what_it_needs(tmp_path):
    _, package = packaged(tmp_path / "merged")
    _, beside = packaged(tmp_path / "beside", kind="bottleneck")
    files = [path for path in package.rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in (".pkl", ".pickle", ".bin", ".pt", ".pyc")]
    merged, adapter = ((folder / "requirements.txt").read_text().splitlines() for folder in (package, beside))
    assert all("==" in line for line in merged)
    assert {line.partition("==")[0] for line in adapter} - {line.partition("==")[0] for line in merged} == {"peft"}


@pytest.mark.parametrize(
    ("columns", "required", "optional"),
    [
        ({}, ["text"], []),
        ({"pair": QUESTIONS}, ["text", "pair"], []),
        ({"messages": ["[]", None, "[]", "[]"]}, [], ["text", "messages"]),
    ],
)
def test_a_package_takes_the_columns_that_its_model_was_trained_on(columns, required, optional, tmp_path):
    _, package = packaged(tmp_path / "made", **columns)
    schema = mlflow.models.get_model_info(str(package)).signature.inputs
    assert schema.required_input_names() == required
    assert [name for name in schema.input_names() if name not in required] == optional


def test_the_luthier_of_another_version_that_answers_instead_is_said(tmp_path, caplog):
    _, package = packaged(tmp_path / "made")
    with caplog.at_level(logging.WARNING, "luthier.package"):
        mlflow.pyfunc.load_model(str(package))
        assert "differ" not in caplog.text
        with (package / "code" / "luthier" / "tasks" / "head.py").open("a") as file:
            file.write("# older\n")
        mlflow.pyfunc.load_model(str(package))
    assert "not the package's own: 1 files differ" in caplog.text
