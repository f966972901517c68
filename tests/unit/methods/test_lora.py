import json

import pytest
import torch
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as OF_PEFT
from pydantic import ValidationError

from luthier.errors import ModelError
from luthier.methods.lora import Lora
from luthier.methods.shape import shape_of
from luthier.models.loading import head_names
from tests.tiny_models import FAMILIES
from tests.unit.methods.models import CLASSES, base, logits, step, tiny_model, trainable

LAYERS = {"encoder.0.query": (32, 32), "encoder.0.value": (32, 32), "encoder.0.output.dense": (64, 32)}


def attached(family: str, **settings) -> torch.nn.Module:
    return Lora(**settings).attach(tiny_model(family), CLASSES)


@pytest.mark.parametrize("family", FAMILIES)
def test_auto_targets_what_peft_does_by_itself_and_query_and_value_where_it_knows_none(family):
    found = attached(family).peft_config["default"].target_modules
    own = {"distilbert": {"q_lin", "v_lin"}, "modernbert": {"Wqkv"}}
    assert set(found) == own.get(family, set(OF_PEFT.get(family, ())))


@pytest.mark.parametrize("family", FAMILIES)
def test_all_linear_targets_each_linear_layer_but_those_of_the_head(family):
    settings = {"target_modules": "all-linear", "use_dora": True, "r": 2}
    plain = tiny_model(family)
    shape = shape_of(plain, without=head_names(plain))
    model = attached(family, **settings)
    assert set(model.base_model.targeted_module_names) == set(shape.linear_layers)
    own = {name: p for name, p in trainable(model).items() if "modules_to_save" not in name}
    assert sum(p.numel() for p in own.values()) == Lora(**settings).trainable_parameters(shape)
    torch.testing.assert_close(logits(model), logits(plain), rtol=1e-5, atol=1e-6)


def test_an_update_of_zero_changes_nothing():
    torch.testing.assert_close(logits(attached("bert")), logits(tiny_model("bert")), rtol=0, atol=0)


def test_ranks_follow_their_patterns_and_so_does_the_number_of_parameters():
    plain = tiny_model("bert")
    settings = {"r": 2, "rank_pattern": {r"0\.attention\.self\.query": 4, "value": 3}, "alpha_pattern": {"value": 12}}
    model, shape = attached("bert", **settings), shape_of(plain, without=head_names(plain))
    ranks = {n.split("layer.")[1].split(".lora")[0]: p.shape[0] for n, p in trainable(model).items() if "lora_A" in n}
    assert ranks == {
        "0.attention.self.query": 4,
        "0.attention.self.value": 3,
        "1.attention.self.query": 2,
        "1.attention.self.value": 3,
    }
    own = sum(p.numel() for name, p in trainable(model).items() if "lora_" in name)
    assert own == Lora(**settings).trainable_parameters(shape) == 64 * sum(ranks.values())
    scales = {n: m.scaling["default"] for n, m in model.named_modules() if hasattr(m, "lora_A")}
    assert {v for n, v in scales.items() if n.endswith("value")} == {4.0}


def test_patterns_that_match_nothing_or_mean_nothing_are_refused():
    (found,) = Lora(rank_pattern={"key": 4}).mismatches(LAYERS)
    assert (found.field, found.received) == ("rank_pattern", "key")
    (found,) = Lora(rank_pattern={"value": 33}).mismatches(LAYERS)
    assert (found.field, found.received) == ("rank_pattern", 33)
    with pytest.raises(ValidationError, match="must be a regular expression"):
        Lora(rank_pattern={"(": 4})


def test_auto_on_layers_of_unknown_names_is_a_mismatch():
    (found,) = Lora().mismatches({"block.0.mixer": (32, 32)})
    assert (found.field, found.nearest) == ("target_modules", "all-linear")


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_trained_biases_are_counted_stored_and_merged(bias, tmp_path):
    method, plain = Lora(bias=bias), tiny_model("bert")
    shape = shape_of(plain, without=head_names(plain))
    model = method.attach(tiny_model("bert"), CLASSES)
    own = {n for n in trainable(model) if "modules_to_save" not in n and "original_module" not in n}
    assert sum(trainable(model)[name].numel() for name in own) == method.trainable_parameters(shape)
    step(model, learning_rate=0.01)
    expected = logits(model)
    method.save(model, tmp_path)
    loaded = method.load(base("bert"), tmp_path, CLASSES, dtype=torch.float32, attention="eager")
    torch.testing.assert_close(logits(loaded), expected, rtol=0, atol=0)
    torch.testing.assert_close(logits(method.merge(loaded)), expected, rtol=1e-5, atol=1e-5)


def test_further_modules_are_trained_whole_and_stored_and_a_wrong_name_is_refused(tmp_path):
    method = Lora(modules_to_save=["word_embeddings"])
    model = method.attach(tiny_model("bert"), CLASSES)
    name = "base_model.model.bert.embeddings.word_embeddings.modules_to_save.default.weight"
    assert name in trainable(model)
    step(model, learning_rate=0.01)
    method.save(model, tmp_path)
    loaded = method.load(base("bert"), tmp_path, CLASSES, dtype=torch.float32, attention="eager")
    torch.testing.assert_close(logits(loaded), logits(model), rtol=0, atol=0)
    with pytest.raises(ModelError, match="did you mean word_embeddings"):
        Lora(modules_to_save=["word_embedings"]).attach(tiny_model("bert"), CLASSES)


def test_lora_plus_trains_b_faster_and_every_parameter_once():
    method = Lora(lora_plus_ratio=16, use_dora=True)
    model = method.attach(tiny_model("bert"), CLASSES)
    groups = method.parameter_groups(model, 1e-4, 0.1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert rates.keys() == trainable(model).keys()
    assert sum(len(group["params"]) for group in groups) == len(rates)
    assert all((rate == pytest.approx(1.6e-3)) == ("lora_B" in name) for name, (rate, _) in rates.items())
    vectors = {name for name, parameter in trainable(model).items() if parameter.ndim == 1}
    assert {name for name, (_, decay) in rates.items() if decay == 0} == vectors
    torch.optim.AdamW(groups)
    assert Lora().parameter_groups(model, 1e-4, 0.1) is None


def test_options_reach_peft_and_the_same_adapter_is_the_same_bytes_without_the_bases_path(tmp_path):
    method = Lora(use_rslora=True, init="gaussian", target_modules="all-linear")
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        torch.manual_seed(1)
        method.save(method.attach(tiny_model("bert"), CLASSES), tmp_path / folder)
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    text = (tmp_path / "a" / "adapter_config.json").read_text()
    config = json.loads(text)
    assert (config["use_rslora"], config["init_lora_weights"]) == (True, "gaussian")
    assert str(base("bert")) not in text
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


@pytest.mark.parametrize(
    ("family", "names", "count"),
    [
        ("bert", ["encoder.layer.0.attention.self.query"], 1),
        ("bert", ["attention.output.dense", "query"], 4),
        ("roberta", ["attention.output.dense"], 2),
        ("gpt2", ["attn.c_proj"], 2),
        ("modernbert", ["attn.Wo"], 2),
        ("t5", ["EncDecAttention.q"], 2),
        ("bart", ["encoder.layers.0.self_attn.q_proj"], 1),
    ],
)
def test_a_name_with_its_parents_targets_those_layers_alone(family, names, count):
    plain = tiny_model(family)
    shape = shape_of(plain, without=head_names(plain))
    model = attached(family, target_modules=names, r=2)
    assert set(model.base_model.targeted_module_names) == set(Lora(target_modules=names).targets(shape.linear_layers))
    assert len(model.base_model.targeted_module_names) == count
    own = sum(p.numel() for name, p in trainable(model).items() if "lora_" in name)
    assert own == Lora(target_modules=names, r=2).trainable_parameters(shape)


def test_a_layer_that_is_trained_whole_gets_no_update():
    model = attached("bert", target_modules=["query", "value"], modules_to_save=["query"])
    assert {name.rpartition(".")[2] for name in model.base_model.targeted_module_names} == {"value"}
    settings = {"target_modules": ["query"], "modules_to_save": ["query"]}
    (found,) = Lora(**settings).mismatches(LAYERS)
    assert (found.field, found.received) == ("modules_to_save", ["query"])
