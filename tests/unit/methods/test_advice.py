"""Each rule on both of its sides."""

from dataclasses import replace

import pytest
from pydantic import TypeAdapter

from luthier.methods import Method
from luthier.methods.advice import Advice, advice
from luthier.methods.shape import ModelShape
from luthier.recipe.schema import TrainingSection

SIDES = {"query": (32, 32), "value": (32, 32)}
SHAPE = ModelShape(
    family="bert",
    architecture="encoder",
    hidden_size=32,
    layers=2,
    heads=4,
    key_value_size=32,
    vocabulary=64,
    linear_layers={f"encoder.{layer}.{name}": sides for layer in range(2) for name, sides in SIDES.items()},
    biases={"encoder.0.query": 32},
    parameters=20_000,
)
PLENTY = 2**40


def found(method: dict, *, training: dict | None = None, memory: int = PLENTY, **facts) -> dict[str, Advice]:
    parsed = TypeAdapter(Method).validate_python(method)
    values = {"learning_rate": parsed.training_defaults["learning_rate"], **(training or {})}
    known = {"rows": 10_000, "tokens": 1_000_000, "fast_bfloat16": True, "device": "cpu", **facts}
    every = advice(SHAPE, parsed, TrainingSection.model_validate(values), memory_available=memory, **known)
    assert all(item.remedy for item in every)
    return {item.name: item for item in every}


@pytest.mark.parametrize("kind", ["full", "lora", "qlora", "bitfit", "prefix", "prompt", "ptuning"])
def test_nothing_is_said_of_a_method_as_it_comes(kind):
    assert found({"kind": kind}) == {}


def test_a_rank_larger_than_a_layer_is_an_error():
    assert found({"kind": "lora", "r": 32}) == {}
    assert found({"kind": "lora", "r": 33})["r"].severity == "error"


def test_a_rank_that_the_rows_cannot_fill_is_unwise():
    assert found({"kind": "lora", "r": 16}, rows=160) == {}
    assert "lower method.r to 15" in found({"kind": "lora", "r": 16}, rows=159)["rank_for_rows"].remedy
    assert found({"kind": "lora", "r": 8}, rows=10) == {}


def test_targets_that_match_nothing_are_an_error_with_the_nearest_that_do():
    assert found({"kind": "lora", "target_modules": ["query"]}) == {}
    advised = found({"kind": "lora", "target_modules": ["qury"]})["target_modules"]
    assert (advised.severity, advised.remedy) == ("error", "did you mean query?")


def test_full_fine_tuning_beyond_half_the_memory_is_unwise_and_beyond_all_of_it_an_error():
    needed = 16 * SHAPE.parameters
    assert found({"kind": "full"}, memory=2 * needed) == {}
    assert found({"kind": "full"}, memory=2 * needed - 1)["full_memory"].severity == "warning"
    advised = found({"kind": "full"}, memory=needed - 1)["full_memory"]
    assert advised.severity == "error" and "lora" in advised.remedy
    assert found({"kind": "lora"}, memory=needed - 1) == {}


def test_more_parameters_than_tokens_over_all_epochs_is_unwise():
    parameters = 4 * 8 * 64
    assert found({"kind": "lora"}, training={"epochs": 2}, tokens=parameters // 2) == {}
    assert "parameters_for_tokens" in found({"kind": "lora"}, training={"epochs": 2}, tokens=parameters // 2 - 1)


@pytest.mark.parametrize(("rate", "said"), [(1e-5, False), (0.9e-5, True), (2e-2, False), (2.1e-2, True)])
def test_a_learning_rate_outside_the_usual_is_unwise(rate, said):
    advised = found({"kind": "lora"}, training={"learning_rate": rate})
    assert ("learning_rate" in advised) == said
    assert not said or "0.001 is used" in advised["learning_rate"].remedy


def test_bfloat16_where_it_is_slow_is_unwise_and_on_a_gpu_without_it_an_error():
    asked = {"precision": "bfloat16"}
    assert found({"kind": "lora"}, training=asked) == {}
    assert found({"kind": "lora"}, fast_bfloat16=False) == {}
    assert found({"kind": "lora"}, training=asked, fast_bfloat16=False)["precision"].severity == "warning"
    on_gpu = found({"kind": "lora"}, training=asked, fast_bfloat16=False, device="cuda")
    assert on_gpu["precision"].severity == "error"


def test_errors_come_first():
    training = TrainingSection(learning_rate=0.5)
    method = TypeAdapter(Method).validate_python({"kind": "lora", "r": 99})
    facts = {"rows": 10, "tokens": 1, "fast_bfloat16": True, "device": "cpu", "memory_available": PLENTY}
    severities = [item.severity for item in advice(SHAPE, method, training, **facts)]
    assert severities == sorted(severities) and set(severities) == {"error", "warning"}


def test_the_precision_of_a_quantized_base_counts_too():
    advised = found({"kind": "qlora"}, fast_bfloat16=False, device="cuda")["precision"]
    assert advised.severity == "error" and "compute_dtype: float32" in advised.remedy
    plain = {"kind": "qlora", "quantization": {"compute_dtype": "float32"}}
    assert found(plain, fast_bfloat16=False, device="cuda") == {}


def test_a_rank_of_a_pattern_is_a_rank():
    advised = found({"kind": "lora", "rank_pattern": {"query": 30}}, rows=100)["rank_for_rows"]
    assert "lower method.rank_pattern to 10" in advised.remedy


def test_the_rate_that_is_advised_is_that_of_the_architecture():
    decoder = replace(SHAPE, architecture="decoder")
    facts = {"rows": 10_000, "tokens": 1_000_000, "fast_bfloat16": True, "device": "cpu", "memory_available": PLENTY}
    method = TypeAdapter(Method).validate_python({"kind": "lora"})
    (advised,) = advice(decoder, method, TrainingSection(learning_rate=0.5), **facts)
    assert "0.0002 is used" in advised.remedy
