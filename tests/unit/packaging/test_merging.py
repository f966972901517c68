import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from luthier.methods.qlora import Quantization
from luthier.models.loading import load_model, load_tokenizer
from luthier.models.quantization import write_quantized_model
from luthier.packaging.merging import ADAPTER, load_reference, load_servable, write_servable
from tests.tiny_models import write_tiny_model
from tests.unit.packaging.tuned import HEADS, SINGLE, TEXTS, Tuned, tuned

OPTIONS = {"dtype": torch.float32, "attention": "eager"}
MERGED = [
    ("bert", "single", "lora"),
    ("bert", "tags", "full"),
    ("deberta-v2", "multi", "lora"),
    ("distilbert", "answers", "bitfit"),
    ("roberta", "number", "ia3"),
    ("modernbert", "single", "lora"),
    ("gpt2", "causal", "lora"),
    ("llama", "causal", "qlora"),
    ("qwen2", "single", "lora"),
    ("t5", "seq2seq", "lora"),
    ("bart", "seq2seq", "bitfit"),
]


@pytest.fixture(scope="session")
def base_of(tmp_path_factory):
    @cache
    def make(family: str, quantized: bool = False) -> Path:
        folder = tmp_path_factory.mktemp(family)
        if quantized:
            write_quantized_model(make(family), Quantization(compute_dtype="float32"), folder)
            return folder
        return write_tiny_model(family, folder)

    return make


def outputs(model, base: Path, head) -> np.ndarray:
    tokens = load_tokenizer(base)(TEXTS, padding=True, return_tensors="pt")
    if head.kind == "seq2seq-lm":
        tokens["decoder_input_ids"] = tokens["input_ids"][:, :3]
    with torch.inference_mode():
        found = model.eval()(**tokens)
    mask = tokens["attention_mask"].bool().numpy()
    logits = found.start_logits if head.kind == "question-answering" else found.logits
    return logits.numpy()[mask] if logits.shape[:2] == mask.shape else logits.numpy()


def written(made: Tuned, folder: Path) -> Path:
    write_servable(made.method, made.base, made.folder, made.head, folder)
    return folder


@pytest.mark.parametrize(("family", "head", "kind"), MERGED)
def test_the_merged_model_answers_as_the_tuned_one(family, head, kind, base_of, tmp_path):
    settings = {"target_modules": "all-linear"} if kind == "lora" else {}
    made = tuned(base_of(family, kind == "qlora"), HEADS[head], tmp_path / "tuned", kind=kind, **settings)
    folder = written(made, tmp_path / "plain")
    expected = outputs(load_reference(made.method, made.base, made.folder, made.head), made.base, made.head)
    received = outputs(load_servable(folder, made.head, None), folder, made.head)
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)
    untuned = outputs(load_model(made.base, made.head, **OPTIONS), made.base, made.head)
    assert np.abs(untuned - expected).max() > 1e-3, "a merge that lost the tuning would be seen"
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    assert not (folder / ADAPTER).exists()


@pytest.mark.parametrize("family", ["gpt2", "llama", "t5", "bart"])
def test_words_still_go_in_and_out_by_the_same_weights(family, base_of, tmp_path):
    head = HEADS["seq2seq" if family in ("t5", "bart") else "causal"]
    made = tuned(base_of(family), head, tmp_path / "tuned", kind="lora")
    plain = load_servable(written(made, tmp_path / "plain"), head, None)
    assert plain.get_output_embeddings().weight is plain.get_input_embeddings().weight


def test_an_output_that_was_trained_apart_from_its_embeddings_stays_apart(base_of, tmp_path):
    made = tuned(base_of("llama"), HEADS["causal"], tmp_path / "tuned", kind="lora", modules_to_save=["lm_head"])
    folder = written(made, tmp_path / "plain")
    plain = load_servable(folder, made.head, None)
    assert not torch.equal(plain.get_output_embeddings().weight, plain.get_input_embeddings().weight)
    expected = outputs(load_reference(made.method, made.base, made.folder, made.head), made.base, made.head)
    np.testing.assert_allclose(outputs(plain, folder, made.head), expected, atol=1e-5)


def test_where_generation_ends_is_kept(base_of, tmp_path):
    made = tuned(base_of("llama"), HEADS["causal"], tmp_path / "tuned", kind="lora")
    path = made.base / "generation_config.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps({**before, "eos_token_id": [2, 7]}))
    plain = load_servable(written(made, tmp_path / "plain"), made.head, None)
    path.write_text(json.dumps(before))
    assert plain.generation_config.eos_token_id == [2, 7]


def test_lora_merges_to_w_plus_scaled_b_a(base_of, tmp_path):
    from safetensors.torch import load_file

    made = tuned(base_of("bert"), SINGLE, tmp_path / "tuned", kind="lora", r=4, alpha=8)
    folder = written(made, tmp_path / "plain")
    layer = "bert.encoder.layer.0.attention.self.query"
    adapter = load_file(made.folder / "adapter_model.safetensors")
    a, b = (adapter[f"base_model.model.{layer}.lora_{side}.weight"] for side in "AB")
    base = load_file(made.base / "model.safetensors")[f"{layer}.weight"]
    found = load_file(folder / "model.safetensors")[f"{layer}.weight"]
    torch.testing.assert_close(found, base + 2.0 * (b @ a), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("family", "head", "kind", "quantized"),
    [
        ("bert", "single", "bottleneck", False),
        ("distilbert", "tags", "prompt", False),
        ("roberta", "answers", "bottleneck", False),
        ("gpt2", "causal", "prefix", False),
        ("llama", "causal", "ptuning", False),
        ("llama", "single", "prompt", True),
        ("llama", "causal", "bottleneck", True),
        ("t5", "seq2seq", "bottleneck", False),
    ],
)
def test_what_does_not_merge_lies_beside_its_base(family, head, kind, quantized, base_of, tmp_path):
    made = tuned(base_of(family, quantized), HEADS[head], tmp_path / "tuned", kind=kind)
    folder = written(made, tmp_path / "plain")
    assert {path.name for path in (folder / ADAPTER).iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())
    expected = outputs(load_reference(made.method, made.base, made.folder, made.head), made.base, made.head)
    received = outputs(load_servable(folder, made.head, made.method), folder, made.head)
    np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-5)
    base = outputs(load_model(folder, made.head, **OPTIONS), folder, made.head)
    assert np.abs(base - expected).max() > 1e-3, "an adapter that was lost would be seen"
