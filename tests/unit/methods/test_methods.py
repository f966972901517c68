"""What holds for every method."""

import subprocess
import sys

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from luthier.methods import METHODS, Method
from luthier.methods.method import Range
from luthier.methods.qlora import Quantization
from luthier.methods.shape import shape_of
from luthier.methods.support import unsupported
from luthier.models.loading import load_model
from luthier.models.quantization import write_quantized_model
from luthier.recipe.schema import TrainingSection
from tests.unit.methods.models import CLASSES, answers, base, logits, step, tiny_model, trainable


@pytest.mark.parametrize("kind", METHODS)
def test_defaults_are_valid_usual_and_within_what_a_search_tries(kind):
    method = METHODS[kind]
    low, high = method.learning_rate_range
    groups = [{}, *method.family_defaults.values()]
    for group in groups:
        training = TrainingSection.model_validate({**method.training_defaults, **group})
        assert low <= training.learning_rate <= high
    searched = method.search_space["training.learning_rate"]
    assert low <= searched.low < searched.high <= high
    assert set(method.family_defaults) <= {"encoder", "decoder", "encoder-decoder"}


@pytest.mark.parametrize("kind", METHODS)
def test_every_value_a_search_may_try_is_valid(kind):
    for field, values in METHODS[kind].search_space.items():
        section, _, name = field.partition(".")
        for value in (values.low, values.high) if isinstance(values, Range) else values:
            if section == "method":
                TypeAdapter(Method).validate_python({"kind": kind, name: value})
            else:
                assert section == "training"
                TrainingSection.model_validate({name: value})


@pytest.mark.parametrize("kind", METHODS)
def test_every_setting_has_a_description_and_every_number_two_bounds(kind):
    schema = METHODS[kind].model_json_schema()
    for field in schema["properties"].values():
        assert field.get("description") or "$ref" in field
        for alternative in field.get("anyOf", [field]):
            if alternative.get("type") in ("integer", "number"):
                assert {"minimum", "exclusiveMinimum"} & alternative.keys()
                assert {"maximum", "exclusiveMaximum"} & alternative.keys()
    with pytest.raises(ValidationError):
        TypeAdapter(Method).validate_python({"kind": kind, "unknown": 1})


def test_methods_load_without_torch():
    script = (
        "import sys, luthier.methods, luthier.methods.advice, luthier.methods.support; print('torch' in sys.modules)"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"


@pytest.mark.parametrize(
    "kind", [kind for kind, method in METHODS.items() if not method.supports_activation_checkpointing]
)
def test_activation_checkpointing_is_refused_where_it_is_said_to_be(kind):
    model = tiny_model("llama")
    model.gradient_checkpointing_enable()
    with pytest.raises(ValueError, match="gradient checkpointing"):
        TypeAdapter(Method).validate_python({"kind": kind}).attach(model, CLASSES)


@pytest.mark.parametrize("kind", [kind for kind, method in METHODS.items() if method.supports_activation_checkpointing])
@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_with_activation_checkpointing_gradients_are_the_same(kind, family):
    gradients = []
    for checkpointing in (False, True):
        model = tiny_model(family)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        if checkpointing:
            model.gradient_checkpointing_enable()
        model = TypeAdapter(Method).validate_python({"kind": kind}).attach(model, CLASSES)
        step(model, learning_rate=1e-3)
        gradients.append({name: parameter.grad for name, parameter in trainable(model).items()})
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        (kind, family)
        for kind, method in METHODS.items()
        for family in ("bert", "gpt2", "llama", "t5")
        if not method.trains_base and unsupported(kind, family, CLASSES.kind) is None
    ],
)
def test_what_is_trained_beside_a_bfloat16_base_is_in_float32(kind, family, tmp_path):
    method = TypeAdapter(Method).validate_python({"kind": kind})
    model = method.attach(tiny_model(family, dtype=torch.bfloat16), CLASSES)
    assert all(parameter.dtype == torch.float32 for parameter in trainable(model).values())
    step(model, learning_rate=0.01)
    method.save(model, tmp_path)
    loaded = method.load(base(family), tmp_path, CLASSES, dtype=torch.bfloat16, attention="eager")
    torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=0)


@pytest.fixture(scope="module")
def four_bits(tmp_path_factory: pytest.TempPathFactory):
    """A 4-bit Qwen2, which has biases."""
    folder = tmp_path_factory.mktemp("four-bits")
    write_quantized_model(base("qwen2"), Quantization(), folder)
    return folder


@pytest.mark.parametrize("kind", [kind for kind, method in METHODS.items() if method.quantizes])
def test_a_method_that_quantizes_trains_beside_a_4_bit_base_and_leaves_it_as_it_is(kind, four_bits, tmp_path):
    method = TypeAdapter(Method).validate_python({"kind": kind})
    model = method.attach(load_model(four_bits, CLASSES, dtype=torch.bfloat16, attention="eager"), CLASSES)
    assert all(parameter.dtype == torch.float32 for parameter in trainable(model).values())
    before = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
    step(model, steps=2, learning_rate=0.01)
    parameters = dict(model.named_parameters())
    assert all(torch.equal(parameters[name], value) for name, value in before.items())
    method.save(model, tmp_path)
    loaded = method.load(four_bits, tmp_path, CLASSES, dtype=torch.bfloat16, attention="eager")
    torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=0)
    if method.merges:
        whole = method.load(four_bits, tmp_path, CLASSES, dtype=torch.float32, attention="eager")
        plain = method.load(four_bits, tmp_path, CLASSES, dtype=torch.float32, attention="eager", dequantized=True)
        torch.testing.assert_close(logits(method.merge(plain)), logits(whole), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", METHODS)
def test_the_memory_formula_counts_what_is_there_after_a_step(kind, four_bits):
    method = TypeAdapter(Method).validate_python({"kind": kind})
    plain = tiny_model("qwen2")
    folder = four_bits if method.base_quantization else base("qwen2")
    model = load_model(folder, CLASSES, dtype=torch.float32, attention="eager")
    head = {id(p) for p in model.score.parameters()}
    model = method.attach(model, CLASSES)
    optimizer = torch.optim.AdamW([p for name, p in trainable(model).items() if "score" not in name])
    answers(model.train()).sum().backward()
    optimizer.step()
    moments = [state[name] for state in optimizer.state.values() for name in ("exp_avg", "exp_avg_sq")]
    kept = [p for name, p in model.named_parameters() if id(p) not in head and "modules_to_save" not in name]
    gradients = [p.grad for p in kept if p.grad is not None]
    constants = [
        tensor
        for p in kept
        if (state := getattr(p, "quant_state", None))
        for tensor in (state.absmax, state.state2.absmax)
    ]
    found = sum(tensor.nbytes for tensor in [*kept, *gradients, *moments, *constants])
    expected = method.training_memory(shape_of(plain, without=["score"]))
    # The constants of constants of so small layers are rounded up to one.
    assert found == pytest.approx(expected, rel=0.002 if method.base_quantization else 0)
