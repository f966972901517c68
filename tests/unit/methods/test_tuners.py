"""The two tuners that PEFT lacks behave as PEFT's own do."""

import peft
import pytest
import torch
from safetensors.torch import load_file

from luthier.digest import file_digest
from luthier.methods.tuners.bitfit import BitFitConfig, BitFitModel
from luthier.methods.tuners.bottleneck import BottleneckConfig, BottleneckModel
from luthier.methods.tuners.peft_types import register
from tests.unit.methods.models import inputs, logits, step, tiny_model, trainable

FAMILIES = ["bert", "gpt2", "llama"]
HEADS = {**dict.fromkeys(("bert", "distilbert"), "classifier"), **dict.fromkeys(("t5", "bart"), "classification_head")}
TARGETS = {"bert": ["output.dense"], "gpt2": ["c_proj"], "llama": ["o_proj", "down_proj"]}
TUNERS = {"bottleneck": BottleneckConfig, "bitfit": BitFitConfig}
CASES = [(kind, family) for kind in TUNERS for family in FAMILIES if (kind, family) != ("bitfit", "llama")]


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register(BottleneckConfig, BottleneckModel)
    register(BitFitConfig, BitFitModel)


def config_of(kind: str, family: str, **settings) -> peft.PeftConfig:
    own = (
        {"reduction_factor": 4, "non_linearity": "gelu", "target_modules": TARGETS[family]}
        if kind == "bottleneck"
        else {}
    )
    return TUNERS[kind](task_type="SEQ_CLS", modules_to_save=[HEADS.get(family, "score")], **{**own, **settings})


def attached(kind: str, family: str, *, model=None, **settings) -> peft.PeftModel:
    return peft.get_peft_model(model or tiny_model(family), config_of(kind, family, **settings))


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_an_adapter_changes_nothing_before_it_is_trained(kind, family):
    torch.testing.assert_close(logits(attached(kind, family)), logits(tiny_model(family)), rtol=0, atol=0)


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_a_step_trains_every_part_of_the_adapter_and_the_head_and_nothing_else(kind, family):
    model = attached(kind, family)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    step(model, steps=4)
    changed = {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed == set(trainable(model))


def test_bitfit_trains_each_bias_of_the_base_the_norms_too_and_no_weight():
    plain, model = tiny_model("bert"), attached("bitfit", "bert")
    biases = {name for name, _ in plain.bert.named_parameters() if name.endswith("bias")}
    assert any("LayerNorm" in name for name in biases)
    adapted = {name for name in trainable(model) if "bitfit_bias" in name}
    assert {name.removeprefix("base_model.model.bert.") for name in adapted} == {
        f"{name.removesuffix('bias')}bitfit_bias.default" for name in biases
    }
    assert set(trainable(model)) - adapted == {
        f"base_model.model.classifier.modules_to_save.default.{name}" for name in ("weight", "bias")
    }


@pytest.mark.parametrize("family", ["llama", "t5"])
def test_bitfit_refuses_a_model_without_biases(family):
    with pytest.raises(ValueError, match="no bias that BitFit could train"):
        attached("bitfit", family)


@pytest.mark.parametrize("kind", TUNERS)
def test_a_saved_adapter_comes_back_to_the_bit(kind, tmp_path):
    model = attached(kind, "bert")
    step(model, steps=2)
    for folder in ("a", "b"):
        model.save_pretrained(tmp_path / folder)
    for file in ("adapter_model.safetensors", "adapter_config.json"):
        assert file_digest(tmp_path / "a" / file) == file_digest(tmp_path / "b" / file)
    stored = load_file(tmp_path / "a" / "adapter_model.safetensors")
    assert sum(tensor.numel() for tensor in stored.values()) == sum(p.numel() for p in trainable(model).values())
    loaded = peft.PeftModel.from_pretrained(tiny_model("bert"), tmp_path / "a")
    torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=0)
    assert not torch.equal(logits(loaded), logits(tiny_model("bert")))
    assert not trainable(loaded)


@pytest.mark.parametrize("kind", TUNERS)
def test_adapters_are_switched_off_and_exchanged_and_deleted(kind):
    plain = logits(tiny_model("bert"))
    model = attached(kind, "bert")
    step(model, steps=2)
    first = logits(model)
    model.add_adapter("second", config_of(kind, "bert"))
    torch.testing.assert_close(logits(model), first, rtol=0, atol=0)
    model.set_adapter("second")
    torch.testing.assert_close(logits(model), plain, rtol=0, atol=0)
    assert all(".second." in name or name.endswith(".second") for name in trainable(model))
    step(model, steps=3)
    second = logits(model)
    model.set_adapter("default")
    torch.testing.assert_close(logits(model), first, rtol=0, atol=0)
    with model.disable_adapter():
        torch.testing.assert_close(logits(model), plain, rtol=0, atol=0)
    model.delete_adapter("default")
    torch.testing.assert_close(logits(model), second, rtol=0, atol=0)
    assert not any("default" in name for name in model.state_dict())


def test_a_second_adapter_may_have_another_size_and_be_loaded_beside_the_first(tmp_path):
    wide, narrow = attached("bottleneck", "gpt2"), attached("bottleneck", "gpt2", reduction_factor=16)
    for name, model in (("wide", wide), ("narrow", narrow)):
        step(model, steps=2)
        model.save_pretrained(tmp_path / name)
    both = peft.PeftModel.from_pretrained(tiny_model("gpt2"), tmp_path / "wide", adapter_name="wide")
    both.load_adapter(tmp_path / "narrow", adapter_name="narrow")
    for name, model in (("narrow", narrow), ("wide", wide)):
        both.set_adapter(name)
        torch.testing.assert_close(logits(both), logits(model), rtol=0, atol=0)


@pytest.mark.parametrize("family", ["bert", "gpt2", "qwen2", "bart"])
def test_merged_bitfit_is_the_plain_model_and_computes_the_same_numbers(family):
    model = attached("bitfit", family)
    step(model, steps=2)
    expected = logits(model)
    model.merge_adapter(safe_merge=True)
    torch.testing.assert_close(logits(model), expected, rtol=0, atol=0)
    model.unmerge_adapter()
    with model.disable_adapter():
        torch.testing.assert_close(
            model.get_base_model().get_input_embeddings().weight, tiny_model(family).get_input_embeddings().weight
        )
    torch.testing.assert_close(logits(model), expected, rtol=0, atol=0)
    merged = model.merge_and_unload(safe_merge=True)
    torch.testing.assert_close(logits(merged), expected, rtol=0, atol=0)
    assert merged.state_dict().keys() == tiny_model(family).state_dict().keys()


def test_a_merge_that_is_not_finite_is_refused():
    model = attached("bitfit", "bert")
    next(p for name, p in trainable(model).items() if "bitfit_bias" in name).data[0] = float("nan")
    with pytest.raises(ValueError, match="NaN or infinity"):
        model.merge_and_unload(safe_merge=True)


def test_two_biases_cannot_act_at_once():
    model = attached("bitfit", "bert")
    model.add_adapter("second", config_of("bitfit", "bert"))
    with pytest.raises(ValueError, match="a layer has one bias"):
        model.merge_adapter(["default", "second"])


def test_bottleneck_adapters_say_why_they_cannot_be_merged_and_can_be_unloaded():
    model = attached("bottleneck", "bert")
    step(model, steps=2)
    with pytest.raises(ValueError, match="cannot be merged: the non-linearity"):
        model.merge_and_unload()
    plain = tiny_model("bert")
    unloaded = model.unload()
    assert unloaded.state_dict().keys() == plain.state_dict().keys()
    torch.testing.assert_close(unloaded.bert.state_dict(), plain.bert.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_adapters_stay_in_float32_beside_a_bfloat16_base(kind, family):
    model = attached(kind, family, model=tiny_model(family, dtype=torch.bfloat16))
    head = f"{HEADS.get(family, 'score')}."
    assert all(p.dtype == torch.float32 for name, p in trainable(model).items() if head not in name)
    torch.testing.assert_close(logits(model), logits(tiny_model(family, dtype=torch.bfloat16)), rtol=0, atol=0)
    step(model)
    assert logits(model).isfinite().all()


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_activation_checkpointing_gives_the_same_gradients(kind, family):
    gradients = []
    for checkpointing in (False, True):
        model = attached(kind, family)
        step(model, learning_rate=0.01)
        if checkpointing:
            model.get_base_model().gradient_checkpointing_enable()
            model.enable_input_require_grads()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        step(model, learning_rate=0.01)
        gradients.append({name: parameter.grad for name, parameter in trainable(model).items()})
    torch.testing.assert_close(*gradients, rtol=1e-5, atol=1e-6)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="relu, gelu, silu, tanh"):
        BottleneckConfig(non_linearity="swish")
    with pytest.raises(ValueError, match="at least 1"):
        BottleneckConfig(reduction_factor=0)
    with pytest.raises(ValueError, match="target_modules is required"):
        attached("bottleneck", "bert", target_modules=None)


@pytest.mark.parametrize("kind", TUNERS)
def test_a_batch_of_several_adapters_is_refused_and_not_answered_by_one(kind):
    model = attached(kind, "bert")
    model.add_adapter("second", config_of(kind, "bert"))
    with pytest.raises(ValueError, match=f"{kind} has one adapter for all rows"):
        model(**inputs(), adapter_names=["default", "second"])


def test_an_adapter_that_is_added_beside_a_merged_one_starts_from_the_layers_own_bias():
    plain = logits(tiny_model("bert"))
    model = attached("bitfit", "bert")
    step(model, steps=2)
    model.merge_adapter()
    model.add_adapter("second", config_of("bitfit", "bert"))
    model.unmerge_adapter()
    model.set_adapter("second")
    torch.testing.assert_close(logits(model), plain, rtol=0, atol=0)


def test_a_merged_bias_comes_back_in_the_precision_that_the_layer_has_by_then():
    model = attached("bitfit", "bert")
    step(model, steps=2)
    model.merge_adapter()
    model.to(torch.bfloat16)
    merged = logits(model)
    model.unmerge_adapter()
    torch.testing.assert_close(logits(model), merged, rtol=0.1, atol=0.1)


def test_unmerging_what_never_merges_is_said_to_do_nothing():
    with pytest.warns(UserWarning, match="Already unmerged"):
        attached("bottleneck", "bert").unmerge_adapter()
