"""Fine-tunings of tiny models on rows that can be learned."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from luthier.data.raw import RawSource, write_raw_data
from luthier.data.splits import write_cleaned_splits
from luthier.methods import Method
from luthier.models.quantization import write_quantized_model
from luthier.recipe.data_section import DataSection
from luthier.recipe.schema import TrainingSection
from luthier.sources import Access, fetch
from luthier.tasks import TASKS
from luthier.training.compute import choose_compute
from luthier.training.job import FineTuning
from luthier.training.tokens import write_tokens
from tests.conftest import write_reviews

TASK = TASKS["text-classification"]
HEAD = TASK.head(("false", "true"), "single", encoder_decoder=False)
METHODS = {
    "full": {"kind": "full"},
    "lora": {"kind": "lora", "r": 4, "alpha": 8, "target_modules": "all-linear"},
    "qlora": {"kind": "qlora", "r": 4, "target_modules": ["q_proj", "v_proj"]},
}


@pytest.fixture(scope="session")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_reviews(root / "reviews.csv")
    columns = {"text": "text", "label": "sentiment > 0"}
    data = DataSection.model_validate({"source": "reviews.csv", "columns": columns, "augmentation": {"below": 0}})
    source = RawSource(fetch("reviews.csv", Access(downloads=root / "downloads", root=root)))
    write_raw_data([source], root / "raw", required_columns=data.columns.required)
    write_cleaned_splits(root / "raw", root / "splits", data)
    return root / "splits"


@pytest.fixture(scope="session")
def quantized_llama(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantized")
    method = TypeAdapter(Method).validate_python(METHODS["qlora"])
    write_quantized_model(tiny_llama, method.base_quantization, folder)
    return folder


@pytest.fixture(scope="session")
def fine_tuning(
    tiny_bert: Path, quantized_llama: Path, splits: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., FineTuning]:
    """A fine-tuning by method kind; keyword arguments are training settings."""
    tokens = {}
    for name, base in (("bert", tiny_bert), ("llama", quantized_llama)):
        tokens[name] = tmp_path_factory.mktemp("tokens")
        write_tokens(splits, base, TASK, HEAD, max_length=16, folder=tokens[name])

    def make(kind: str = "lora", **settings: object) -> FineTuning:
        method = TypeAdapter(Method).validate_python(METHODS[kind])
        defaults = {"epochs": 3, "batch_size": 16, "learning_rate": 1e-2, "threads": 1, "max_length": 16}
        training = TrainingSection.model_validate({**defaults, **settings})
        name, base = ("llama", quantized_llama) if kind == "qlora" else ("bert", tiny_bert)
        return FineTuning(
            task=TASK,
            head=HEAD,
            metric="accuracy",
            method=method,
            training=training,
            compute=choose_compute(training, method),
            model=base,
            tokens=tokens[name],
        )

    return make
