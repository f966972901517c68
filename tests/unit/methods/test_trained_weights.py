import pytest
import torch
from pydantic import TypeAdapter

from luthier.errors import ModelError
from luthier.methods import METHODS, Method
from luthier.methods.trained_weights import read_trained, write_trained
from tests.unit.methods.models import CLASSES, logits, step, tiny_model, trainable

SETTINGS = {"prefix": {"prefix_projection": True}}


@pytest.mark.parametrize("kind", METHODS)
def test_training_goes_on_from_what_was_written_to_the_bit(kind, tmp_path):
    method = TypeAdapter(Method).validate_python({"kind": kind, **SETTINGS.get(kind, {})})
    model = method.attach(tiny_model("bert"), CLASSES)
    step(model, learning_rate=0.01)
    write_trained(model, tmp_path)
    fresh = method.attach(tiny_model("bert"), CLASSES)
    for parameter in trainable(fresh).values():
        parameter.data.normal_()
    read_trained(fresh, tmp_path)
    assert trainable(fresh).keys() == trainable(model).keys()
    torch.testing.assert_close(logits(fresh), logits(model), rtol=0, atol=0)
    for each in (model, fresh):
        torch.manual_seed(1)
        step(each, learning_rate=0.01)
    torch.testing.assert_close(logits(fresh), logits(model), rtol=0, atol=0)


def test_weights_of_another_method_are_refused(tmp_path):
    write_trained(METHODS["bitfit"](kind="bitfit").attach(tiny_model("bert"), CLASSES), tmp_path)
    with pytest.raises(ModelError, match="of another model or method"):
        read_trained(METHODS["lora"]().attach(tiny_model("bert"), CLASSES), tmp_path)
