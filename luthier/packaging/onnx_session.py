"""An ONNX graph that is asked as the model it was made from."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from luthier.models.configuration import read_config


class OnnxModel(torch.nn.Module):
    """A graph of ``export`` under onnxruntime, on as many threads as torch has; ``folder`` has its configuration."""

    def __init__(self, file: Path, folder: Path):
        import onnxruntime

        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self.config = read_config(folder)
        self.outputs = [output.name for output in self.session.get_outputs()]
        # Tasks ask a model's parameters for its device.
        self.place = torch.nn.Parameter(torch.empty(0), requires_grad=False)

    def forward(self, **inputs: torch.Tensor) -> Any:
        given = {name: tensor.cpu().numpy() for name, tensor in inputs.items()}
        found = self.session.run(self.outputs, given)
        return SimpleNamespace(**dict(zip(self.outputs, map(torch.from_numpy, found), strict=True)))
