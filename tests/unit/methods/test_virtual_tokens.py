import pytest
import torch

from luthier.errors import ModelError
from luthier.methods.prefix import Prefix
from luthier.methods.prompt import Prompt
from luthier.methods.ptuning import Ptuning
from luthier.methods.shape import shape_of
from luthier.models.loading import load_tokenizer
from tests.tiny_models import FAMILIES
from tests.unit.methods.models import CLASSES, HEADS, TOKENS, base, logits, step, tiny_model, trainable

METHODS = {
    "prefix": Prefix(kind="prefix", num_virtual_tokens=4),
    "prompt": Prompt(kind="prompt", num_virtual_tokens=4),
    "ptuning": Ptuning(kind="ptuning", num_virtual_tokens=4),
}


def answers(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=ids, attention_mask=mask).logits


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize(
    ("family", "head"),
    [
        ("bert", "sequence-classification"),
        ("bert", "token-classification"),
        ("gpt2", "sequence-classification"),
        ("gpt2", "causal-lm"),
        ("llama", "sequence-classification"),
        ("llama", "causal-lm"),
    ],
)
def test_padding_changes_no_answer(kind, family, head):
    model = METHODS[kind].attach(tiny_model(family, HEADS[head]), HEADS[head])
    padded = torch.cat([TOKENS, torch.full((2, 3), model.config.pad_token_id)], dim=1)
    mask = torch.cat([torch.ones(2, 6), torch.zeros(2, 3)], dim=1).long()
    alone, beside = answers(model, TOKENS, mask[:, :6]), answers(model, padded, mask)
    beside = beside if head == "sequence-classification" else beside[:, :6]
    torch.testing.assert_close(beside, alone, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", METHODS)
def test_the_virtual_tokens_are_read(kind):
    model = METHODS[kind].attach(tiny_model("llama"), CLASSES)
    before = logits(model)
    encoder = model.prompt_encoder["default"]
    for parameter in encoder.parameters():
        parameter.data.add_(0.5)
    assert not torch.allclose(logits(model), before, atol=1e-4)


def test_a_prompt_starts_as_embeddings_of_the_vocabulary_or_of_a_text_or_as_large_as_they_are():
    def prompt(**settings) -> torch.Tensor:
        method = Prompt(kind="prompt", num_virtual_tokens=8, **settings)
        model = method.attach(tiny_model("bert"), CLASSES)
        return model.prompt_encoder["default"].embedding.weight.detach()

    embeddings = tiny_model("bert").get_input_embeddings().weight.detach()

    def rows(found: torch.Tensor) -> list[int]:
        return [int((embeddings == row).all(dim=1).nonzero()[0]) for row in found]

    sampled = rows(prompt(init="vocabulary"))
    assert sampled == rows(prompt(init="vocabulary")) and len(set(sampled)) > 4
    tokenizer = load_tokenizer(base("bert"))
    words = tokenizer("good film", add_special_tokens=False)["input_ids"]
    assert rows(prompt(init="text", init_text="good film")) == words * 4
    long = "the film was a great story the plot was bad"
    assert rows(prompt(init="text", init_text=long)) == tokenizer(long, add_special_tokens=False)["input_ids"][:8]
    assert 0.5 < float(prompt(init="random").std() / embeddings.std()) < 2


def test_a_start_from_a_text_needs_one_with_tokens():
    (found,) = Prompt(kind="prompt", init="text").contradictions()
    assert (found.field, found.rule) == ("init_text", "is required for init: text")
    assert Prompt(kind="prompt").contradictions() == []
    (found,) = Prompt(kind="prompt", init_text="good").contradictions()
    assert (found.field, found.rule) == ("init_text", "is read with init: text alone")
    with pytest.raises(ModelError, match="has no token"):
        Prompt(kind="prompt", init="text", init_text=" ").attach(tiny_model("bert"), CLASSES)


@pytest.mark.parametrize("method", [Prefix(kind="prefix", prefix_projection=True), METHODS["ptuning"]])
def test_the_network_behind_virtual_tokens_is_dropped_when_they_are_stored(method, tmp_path):
    from safetensors.torch import load_file

    model = method.attach(tiny_model("bert"), CLASSES)
    step(model, learning_rate=0.01)
    method.save(model, tmp_path)
    stored = load_file(tmp_path / "adapter_model.safetensors")
    assert [name for name in stored if "classifier" not in name and "pooler" not in name] == ["prompt_embeddings"]
    loaded = method.load(base("bert"), tmp_path, CLASSES, dtype=torch.float32, attention="eager")
    torch.testing.assert_close(logits(loaded), logits(model), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", [family for family in FAMILIES if family in ("bert", "gpt2", "llama")])
@pytest.mark.parametrize("settings", [{}, {"prefix_projection": True}, {"encoder_hidden_size": 7}])
def test_the_network_counts_while_it_trains(family, settings):
    shape = shape_of(tiny_model(family, HEADS["causal-lm"]) if family != "bert" else tiny_model(family))
    methods = [Prefix(kind="prefix", **settings)]
    if "prefix_projection" not in settings:
        methods.append(Ptuning(kind="ptuning", **settings))
    for method in methods:
        model = method.attach(tiny_model(family), CLASSES)
        own = {name: p for name, p in trainable(model).items() if "prompt_encoder" in name}
        assert sum(p.numel() for p in own.values()) == method.trainable_parameters(shape)


def test_a_prefix_is_as_wide_as_the_keys_of_grouped_queries(tmp_path):
    import transformers

    from luthier.models.loading import load_model

    base("llama")
    config = transformers.AutoConfig.from_pretrained(base("llama"))
    config.num_key_value_heads = 2
    for family in ("llama", "qwen2"):
        values = {**config.to_dict(), "model_type": family}
        grouped = transformers.AutoConfig.for_model(**values)
        transformers.AutoModelForCausalLM.from_config(grouped).save_pretrained(tmp_path / family)
        load_tokenizer(base("llama")).save_pretrained(tmp_path / family)
        model = load_model(tmp_path / family, HEADS["causal-lm"], dtype=torch.float32, attention="eager")
        expected = METHODS["prefix"].trainable_parameters(shape_of(model))
        model = METHODS["prefix"].attach(model, HEADS["causal-lm"])
        assert sum(p.numel() for p in trainable(model).values()) == expected == 4 * 2 * 2 * 16
        assert logits(model, HEADS["causal-lm"]).isfinite().all()
