"""What a method trains, stored by name as it is while it trains.

An adapter is stored as it answers: the network behind a prefix or a prompt is dropped, and training cannot go on from
what remains. A checkpoint needs these.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from luthier.errors import ModelError

if TYPE_CHECKING:
    import torch

FILE = "trained.safetensors"


def write_trained(model: "torch.nn.Module", folder: Path) -> None:
    """Writes every parameter of the model that requires a gradient."""
    from safetensors.torch import save_file

    save_file({name: value.detach().contiguous() for name, value in _trained(model).items()}, folder / FILE)


def read_trained(model: "torch.nn.Module", folder: Path) -> None:
    """Puts the parameters of ``write_trained`` into a model that trains the same ones.

    Raises:
        ModelError: the model trains others.
    """
    from safetensors.torch import load_file

    found, trained = load_file(folder / FILE), _trained(model)
    if found.keys() != trained.keys():
        other = sorted(found.keys() ^ trained.keys())
        remedy = "go on with the recipe that the checkpoint is of"
        raise ModelError("the checkpoint is of another model or method", received=other[:3], remedy=remedy)
    for name, parameter in trained.items():
        parameter.data.copy_(found[name])


def _trained(model: "torch.nn.Module") -> dict[str, "torch.nn.Parameter"]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
