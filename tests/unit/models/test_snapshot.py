"""A snapshot is a whole model that runs no code of its own, or an error that says what is wrong with it."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from luthier.errors import ModelError
from luthier.models.loading import linear_layers, load_encoder, load_model, load_tokenizer
from luthier.models.snapshot import write_base_model
from luthier.sources.fetched import Fetched
from tests.unit.methods.models import CLASSES, base


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(base("bert"), tmp_path / "model"))


def configure(model: Path, **values) -> None:
    path = model / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def snapshot(model: Path) -> Path:
    folder = model.parent / "snapshot"
    folder.mkdir()
    write_base_model(Fetched(model, str(model), "ab", {}, ()), folder)
    return folder


def test_a_snapshot_is_the_model(model):
    folder = snapshot(model)
    assert json.loads((folder / "facts.json").read_text())["maximum_length"] == 128
    for name in ("model.safetensors", "tokenizer.json"):
        assert (folder / name).read_bytes() == (model / name).read_bytes()
    config, original = (json.loads((where / "config.json").read_text()) for where in (folder, model))
    assert config == original


@pytest.mark.parametrize(
    "key",
    [
        "attn_implementation",
        "_attn_implementation",
        "_attn_implementation_internal",
        "experts_implementation",
        "_experts_implementation",
    ],
)
@pytest.mark.parametrize("value", ["evil-org/kernel", "paged|evil-org/kernel", {"": "evil-org/kernel"}])
def test_code_that_a_configuration_names_is_not_fetched(model, key, value):
    configure(model, **{key: value}, auto_map={"AutoModel": "evil--modeling.Evil"})
    assert linear_layers(model) == linear_layers(base("bert"))
    folder = snapshot(model)
    assert "evil" not in (folder / "config.json").read_text()
    loaded = load_model(folder, CLASSES, dtype=torch.float32, attention="sdpa")
    assert loaded.config._attn_implementation == "sdpa"
    assert load_encoder(folder, dtype=torch.float32, attention="eager").config._attn_implementation == "eager"


def test_nested_configurations_name_no_code_either(model):
    configure(model, text_config={"auto_map": {}, "layers": [{"_experts_implementation": "evil"}]})
    assert json.loads((snapshot(model) / "config.json").read_text())["text_config"] == {"layers": [{}]}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda model: (model / "config.json").unlink(), "config.json is missing"),
        (lambda model: (model / "config.json").write_text("{"), "not JSON"),
        (lambda model: (model / "config.json").write_text("[]"), "not a JSON object"),
        (lambda model: configure(model, model_type="zzz"), r"no such model family(.|\n)*'zzz'"),
        (lambda model: configure(model, model_type=None), "no such model family"),
        (lambda model: configure(model, num_attention_heads="many"), "configuration cannot be read"),
        (lambda model: configure(model, quantization_config={"quant_method": "awq"}), "quantized already"),
        (lambda model: (model / "model.safetensors").rename(model / "pytorch_model.bin"), "no safetensors weights"),
        (lambda model: (model / "model.safetensors").write_bytes(b"\x10"), "model.safetensors: not whole"),
        (
            lambda model: (model / "model.safetensors.index.json").write_text('{"weight_map": {"a": "b.safetensors"}}'),
            r"weights are missing(.|\n)*b.safetensors",
        ),
        (lambda model: (model / "tokenizer.json").unlink(), "no tokenizer"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(model, damage, said):
    damage(model)
    with pytest.raises(ModelError, match=said) as caught:
        snapshot(model)
    assert caught.value.remedy


def test_a_tokenizer_that_can_neither_pad_nor_end_is_refused(model):
    path = model / "tokenizer_config.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "pad_token": None, "eos_token": None}))
    with pytest.raises(ModelError, match="neither a padding token nor an end token"):
        load_tokenizer(model)
