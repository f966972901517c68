"""Targets through the whole graph: written beside the package, proved, measured, or nothing is deployed."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import transformers

from tests.conftest import GOOD, PLAIN
from tests.dag.graph import failure, metadata, remade

FULL = {
    "method": "{kind: full}",
    "training": "{epochs: 10, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, "
    "early_stopping: {patience: 20}}",
}
TEXTS = [f"{' '.join(PLAIN[:5])} {' '.join(GOOD[:2])}", f"{PLAIN[6]} {GOOD[3]}"]


def test_targets_answer_as_the_registered_model_and_take_its_weights_no_second_time(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL)
    first = graph.run()
    assert list(metadata(first, "deployed_artifact")["targets"]) == ["mlflow"]

    write_recipe(base=tiny_bert, **FULL, deploy="{targets: [mlflow, onnx, folder]}")
    second = graph.run()
    assert second.success, failure(second)
    assert remade(second) == {"deployed_artifact"}, "a changed list is another artifact, and no other training"
    found = metadata(second, "deployed_artifact")
    assert list(found["targets"]) == ["mlflow", "folder", "onnx"]
    folder = Path(found["folder"])
    for target in found["targets"].values():
        files = [path for path in (folder / target["path"]).rglob("*") if path.is_file()]
        assert target["bytes"] == sum(path.stat().st_size for path in files) > 0
    assert all(found["targets"]["onnx"]["latency"][name]["milliseconds"] > 0 for name in ("torch", "float32", "int8"))
    stored = [folder / place / "model.safetensors" for place in ("folder", "package/artifacts/model")]
    assert stored[0].samefile(stored[1])
    assert 0 < found["size on disk (MB)"] < sum(each["bytes"] for each in found["targets"].values()) / 1e6

    champion = graph.tracking.load_version("tiny").predict(pd.DataFrame({"text": TEXTS}))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder / "onnx")
    session = onnxruntime.InferenceSession(folder / "onnx" / "model.onnx")
    for text, probability in zip(TEXTS, champion["probability"], strict=True):
        tokens = dict(tokenizer(text, truncation=True, max_length=16, return_tensors="np"))
        logits = session.run(["logits"], tokens)[0][0]
        np.testing.assert_allclose(np.exp(logits).max() / np.exp(logits).sum(), probability, atol=1e-5)
    plain = transformers.pipeline("text-classification", model=str(folder / "folder"), device="cpu")
    np.testing.assert_allclose([each["score"] for each in plain(TEXTS)], champion["probability"], atol=1e-5)

    third = graph.run()
    assert remade(third) == set()


def test_a_target_that_fails_its_proof_deploys_nothing(graph, tiny_bert, write_recipe):
    impossible = "{targets: [mlflow, onnx], onnx: {int8_agreement: 1.0, int8_difference: 0.0}}"
    write_recipe(base=tiny_bert, **FULL, deploy=impossible)
    result = graph.run()
    assert not result.success
    assert "the ONNX int8 model answers too far from the trained one" in failure(result)
    assert "deploy.onnx.precisions" in failure(result)
    assert graph.tracking.champion("tiny") is None
    assert not [path for path in (graph.artifacts.root / "deployed_artifact").iterdir() if path.suffix == ""]


def test_what_the_base_rules_out_is_said_before_anything_trains(graph, tiny_llama, write_recipe, tmp_path):
    """The tokenizer of this Llama is of a kind that llama.cpp does not have."""
    (graph.project / "rows.jsonl").write_text(
        "".join(json.dumps({"text": f"film {row} {word}", "label": word}) + "\n" for row in range(30) for word in GOOD)
    )
    base = shutil.copytree(tiny_llama, tmp_path / "base")
    settings = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**settings, "eos_token": "[SEP]"}))
    write_recipe(
        base=base,
        task="text-generation",
        data="{source: rows.jsonl, columns: {text: text, label: label}, augmentation: {below: 0}}",
        training="{epochs: 1, batch_size: 16, max_length: 32, threads: 1}",
        evaluation="{metric: perplexity, target: 1.0e+6}",
        deploy="{targets: [mlflow, gguf]}",
    )
    result = graph.run()
    assert not result.success
    assert "byte-level BPE tokenizers" in failure(result)
    assert not (graph.artifacts.root / "adapter").exists()
