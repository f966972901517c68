"""A batch in a process of its own: answers the file argv[2] with the model in argv[1] to argv[3], and says its peak."""

import json
import sys
from pathlib import Path

import torch

from luthier.packaging.serving import ServedModel, Serving
from luthier.prediction.batch import AskedModel, predict_file
from luthier.prediction.input_file import InputFile
from luthier.prediction.parts import claimed
from luthier.prediction.prompts import ModelInputs
from luthier.recipe.data_section import DataSection

if __name__ == "__main__":
    torch.set_num_threads(1)
    plain, given, out = map(Path, sys.argv[1:])
    model = ServedModel(plain, Serving.from_config(json.loads((plain / "serving.json").read_text())))
    asked = AskedModel("tiny", "1", ModelInputs(["text"], ["text"]), model.serving.outputs, model.answers)
    data = DataSection.model_validate({"source": "x.csv", "columns": {"text": "text"}})
    with claimed(out) as folder:
        predict_file(InputFile(given, given.suffix[1:]), out, asked, data, folder)
    # The system's own count of the peak survives an exec, and would be that of pytest.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(status["VmHWM"].split()[0])
