import json

import pytest
import torch
from safetensors import safe_open

from luthier.methods.qlora import Quantization
from luthier.models.loading import load_encoder, load_model
from luthier.models.quantization import dequantize, write_quantized_model
from luthier.tasks.head import Head

HEAD = Head("sequence-classification", ("a", "b"), "single_label_classification")


@pytest.mark.parametrize("kind", ["nf4", "fp4"])
def test_the_stored_model_is_small_reloads_to_the_bit_and_its_error_is_that_of_4_bits(tiny_llama, tmp_path, kind):
    facts = write_quantized_model(tiny_llama, Quantization(type=kind), tmp_path)
    assert facts.layers == 14
    assert facts.bytes < 0.5 * facts.base_bytes
    assert 0.05 < facts.weight_error < facts.worst_weight_error < 0.2
    first, second = (load_encoder(tmp_path, dtype=torch.float32, attention="eager") for _ in range(2))
    tokens = torch.arange(10).unsqueeze(0)
    with torch.inference_mode():
        torch.testing.assert_close(first(tokens).last_hidden_state, second(tokens).last_hidden_state, rtol=0, atol=0)


def test_nf4_loses_less_than_fp4_on_normal_weights(tiny_llama, tmp_path):
    errors = {}
    for kind in ("nf4", "fp4"):
        (tmp_path / kind).mkdir()
        errors[kind] = write_quantized_model(tiny_llama, Quantization(type=kind), tmp_path / kind).weight_error
    assert errors["nf4"] < errors["fp4"]


def test_weights_are_stored_in_4_bits_and_the_head_stays_out(tiny_llama, tmp_path):
    write_quantized_model(tiny_llama, Quantization(), tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as tensors:
        weight = tensors.get_tensor("model.layers.0.self_attn.q_proj.weight")
    assert (weight.dtype, weight.numel()) == (torch.uint8, 64 * 64 // 2)
    config = json.loads((tmp_path / "config.json").read_text())["quantization_config"]
    assert config["bnb_4bit_use_double_quant"] is True
    model = load_model(tmp_path, HEAD, dtype=torch.bfloat16, attention="eager")
    assert type(model.score) is torch.nn.Linear
    assert model.score.weight.dtype == torch.float32


def test_dequantized_layers_compute_what_the_4_bit_ones_did(tiny_llama, tmp_path):
    write_quantized_model(tiny_llama, Quantization(), tmp_path)
    model = load_encoder(tmp_path, dtype=torch.float32, attention="eager")
    tokens = torch.arange(10).unsqueeze(0)
    with torch.inference_mode():
        before = model(tokens).last_hidden_state
        assert dequantize(model) == 14
        torch.testing.assert_close(model(tokens).last_hidden_state, before, rtol=0, atol=1e-5)


def test_gradients_pass_4_bit_layers_after_an_evaluation_as_before_it(tiny_llama, tmp_path):
    write_quantized_model(tiny_llama, Quantization(), tmp_path)
    model = load_model(tmp_path, HEAD, dtype=torch.bfloat16, attention="eager")
    embeddings = model.get_input_embeddings().weight
    model.requires_grad_(False)
    embeddings.requires_grad_(True)
    tokens = torch.arange(1, 11).unsqueeze(0)

    def gradient() -> torch.Tensor:
        embeddings.grad = None
        model.train()(tokens).logits.sum().backward()
        return embeddings.grad.clone()

    before = gradient()
    with torch.inference_mode():
        model.eval()(tokens)
    assert before.abs().max() > 0
    torch.testing.assert_close(gradient(), before, rtol=0, atol=0)
