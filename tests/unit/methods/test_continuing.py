"""Training goes on from another training's adapter, or says why it cannot."""

import pytest
import torch
from pydantic import TypeAdapter

from luthier.errors import ModelError
from luthier.methods import METHODS, Method
from luthier.models.loading import load_model
from luthier.tasks.head import Head
from tests.unit.methods.models import CLASSES, base, logits, step, tiny_model, trainable

CONTINUED = [kind for kind in METHODS if kind not in ("full", "ptuning", "qlora")]
THREE = Head("sequence-classification", ("bad", "good", "so-so"), "single_label_classification")
TAGS = Head("token-classification", ("O", "B-film", "I-film"))


def method_of(settings: dict):
    return TypeAdapter(Method).validate_python(settings)


def champion(folder, **settings):
    method = method_of(settings)
    model = method.attach(tiny_model("bert"), CLASSES)
    step(model, steps=2, learning_rate=0.01)
    method.save(model, folder)
    return model


def adapted(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in trainable(model).items() if "modules_to_save" not in name}


@pytest.mark.parametrize("kind", CONTINUED)
@pytest.mark.parametrize("head", [CLASSES, THREE, TAGS], ids=["same", "labels", "task"])
def test_the_adapter_goes_on_and_a_head_for_other_labels_starts_anew(kind, head, tmp_path):
    trained = champion(tmp_path, kind=kind)
    method = method_of({"kind": kind})
    fresh = method.attach(load_model(base("bert"), head, dtype=torch.float32, attention="eager"), head)
    before = {name: value.detach().clone() for name, value in trainable(fresh).items()}
    method.continue_from(fresh, tmp_path)
    torch.testing.assert_close(adapted(fresh), adapted(trained), rtol=0, atol=0)
    if head is CLASSES:
        torch.testing.assert_close(logits(fresh), logits(trained), rtol=0, atol=0)
    else:
        heads = [name for name in trainable(fresh) if "classifier" in name]
        assert heads
        assert all(torch.equal(trainable(fresh)[name], before[name]) for name in heads)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"kind": "lora", "target_modules": "all-linear"}, {"kind": "lora"}, "in the champion alone"),
        ({"kind": "lora"}, {"kind": "lora", "target_modules": "all-linear"}, "in the recipe alone"),
        ({"kind": "lora", "r": 8}, {"kind": "lora", "r": 4}, "another size"),
        ({"kind": "lora", "alpha": 16}, {"kind": "lora", "alpha": 64}, "another lora_alpha"),
        ({"kind": "lora", "use_dora": True}, {"kind": "lora"}, "another use_dora"),
        ({"kind": "lora"}, {"kind": "lora", "use_rslora": True}, "another use_rslora"),
        ({"kind": "lora", "bias": "all"}, {"kind": "lora"}, "another bias"),
        ({"kind": "lora", "modules_to_save": ["word_embeddings"]}, {"kind": "lora"}, "word_embeddings"),
        ({"kind": "bottleneck", "placement": "houlsby"}, {"kind": "bottleneck"}, "in the champion alone"),
        ({"kind": "bottleneck"}, {"kind": "bottleneck", "non_linearity": "tanh"}, "another non_linearity"),
        ({"kind": "bitfit"}, {"kind": "lora"}, "weights of BITFIT for a recipe of lora"),
    ],
)
def test_what_would_lose_or_change_the_champion_is_refused(before, after, said, tmp_path):
    champion(tmp_path, **before)
    method = method_of(after)
    with pytest.raises(ModelError, match=said):
        method.continue_from(method.attach(tiny_model("bert"), CLASSES), tmp_path)
