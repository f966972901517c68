import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from luthier.errors import ParityError
from luthier.models.loading import load_classifier, load_tokenizer
from luthier.packaging.merging import load_reference, write_merged
from luthier.packaging.parity import require_parity
from luthier.training.finetuning import finetune
from tests.unit.training.conftest import TASK, fine_tuning, quantized_llama, splits

__all__ = ["fine_tuning", "quantized_llama", "splits"]


@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
def test_the_merged_model_answers_as_the_adapter_does(fine_tuning, splits, tmp_path, kind):
    rate = 2e-3 if kind == "full" else 1e-2
    job = fine_tuning(kind, learning_rate=rate, epochs=8, early_stopping={"patience": 20})
    tuned, merged = tmp_path / "tuned", tmp_path / "merged"
    tuned.mkdir(), merged.mkdir()
    finetune(job, work=tmp_path / "work", output=tuned, on_metrics=lambda values, step: None)
    write_merged(job.method, job.model, tuned, job.labels, merged)
    texts = pq.read_table(splits / "test.parquet")["text"].to_pylist()
    tokenizer = load_tokenizer(job.model)

    def answers(model) -> np.ndarray:
        return TASK.probabilities(model, tokenizer, texts, max_length=16)

    plain = load_classifier(merged, job.labels, dtype=torch.float32, attention="eager")
    expected = answers(load_reference(job.method, job.model, tuned, job.labels))
    assert require_parity("merged", expected, answers(plain), tolerance=1e-5).agreeing == len(texts)
    untuned = answers(load_classifier(job.model, job.labels, dtype=torch.float32, attention="eager"))
    assert np.abs(untuned - expected).max() > 1e-3, "a merge that lost the tuning would be seen"
    assert "quantization_config" not in json.loads((merged / "config.json").read_text())


def test_lora_merges_to_w_plus_scaled_b_a(fine_tuning, tmp_path):
    from safetensors.torch import load_file

    job = fine_tuning("lora")
    tuned, merged = tmp_path / "tuned", tmp_path / "merged"
    tuned.mkdir(), merged.mkdir()
    finetune(job, work=tmp_path / "work", output=tuned, on_metrics=lambda values, step: None)
    write_merged(job.method, job.model, tuned, job.labels, merged)
    layer = "encoder.layer.0.attention.self.query"
    adapter = load_file(tuned / "adapter_model.safetensors")
    a, b = (adapter[f"base_model.model.bert.{layer}.lora_{side}.weight"] for side in "AB")
    base = load_file(job.model / "model.safetensors")[f"{layer}.weight"]
    found = load_file(merged / "model.safetensors")[f"bert.{layer}.weight"]
    torch.testing.assert_close(found, base + 2.0 * (b @ a), rtol=0, atol=1e-6)


def test_another_answer_is_no_parity():
    expected = np.array([[0.9, 0.1], [0.4, 0.6]], dtype=np.float32)
    with pytest.raises(ParityError, match="1 of 2 predictions differ"):
        require_parity("merged", expected, np.array([[0.9, 0.1], [0.6, 0.4]]))


def test_a_difference_within_the_tolerance_on_a_tie_is_parity():
    expected = np.array([[0.500001, 0.499999]])
    assert require_parity("merged", expected, np.array([[0.499999, 0.500001]])).agreeing == 1
