import pytest

from luthier.errors import ModelError
from luthier.methods.bottleneck import Bottleneck
from luthier.methods.shape import shape_of
from luthier.models.loading import head_names
from tests.tiny_models import FAMILIES
from tests.unit.methods.models import CLASSES, tiny_model, trainable


# Encoder-decoders have a block of each kind in either half; cross-attention gets none.
@pytest.mark.parametrize(("family", "blocks"), [(family, 4 if family in ("t5", "bart") else 2) for family in FAMILIES])
def test_an_adapter_follows_each_feed_forward_and_with_houlsby_each_self_attention(family, blocks):
    for placement, of_a_block in (("pfeiffer", 1), ("houlsby", 2)):
        method = Bottleneck(kind="bottleneck", placement=placement, reduction_factor=4)
        plain = tiny_model(family)
        expected = method.trainable_parameters(shape_of(plain, without=head_names(plain)))
        model = method.attach(plain, CLASSES)
        adapted = model.base_model.targeted_module_names
        assert len(adapted) == blocks * of_a_block, adapted
        own = sum(p.numel() for name, p in trainable(model).items() if "bottleneck_" in name)
        assert own == expected == len(adapted) * (2 * 32 * 8 + 8 + 32)


def test_a_reduction_beyond_the_models_width_leaves_one_feature():
    model = Bottleneck(kind="bottleneck", reduction_factor=4096).attach(tiny_model("bert"), CLASSES)
    assert {p.shape[0] for name, p in trainable(model).items() if "down.default.weight" in name} == {1}


def test_layers_of_unknown_names_are_a_mismatch():
    assert Bottleneck(kind="bottleneck").mismatches({"encoder.0.output.dense": (64, 32)}) == []
    (found,) = Bottleneck(kind="bottleneck").mismatches({"block.0.mixer": (32, 32)})
    assert "use lora" in found.rule


def test_merging_is_refused_with_what_merges():
    method = Bottleneck(kind="bottleneck")
    with pytest.raises(ModelError, match="cannot be merged"):
        method.merge(method.attach(tiny_model("bert"), CLASSES))
