"""Shared pieces: a home of its own for each test, tiny models made here, a small data set that can be learned."""

import csv
import gc
import os
import random
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_WAIT_POLICY": "PASSIVE",
    # The tiny models lie in folders of their own.
    "LUTHIER_DATA_ROOTS": tempfile.gettempdir(),
}

# The partitions are the recipes found when the assets are imported: the names that the graph tests use.
RECIPES = Path(tempfile.mkdtemp(prefix="luthier-recipes-"))
for name in ("tiny", "tiny-full", "tiny-qlora"):
    (RECIPES / f"{name}.yaml").touch()
os.environ["LUTHIER_RECIPES"] = str(RECIPES)

GOOD = ["good", "great", "lovely", "fine", "bright", "warm"]
BAD = ["bad", "awful", "dull", "poor", "grim", "cold"]
PLAIN = ["film", "story", "scene", "actor", "plot", "music", "end", "start", "hour", "light", "sound", "house"]


def write_reviews(path: Path, rows: int = 240, *, seed: int = 1) -> Path:
    """A CSV with columns id, sentiment and text, in which the sentiment follows from the words."""
    generator = random.Random(seed)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "sentiment", "text"])
        for row in range(rows):
            positive = row % 2 == 0
            words = generator.sample(PLAIN, 5) + generator.sample(GOOD if positive else BAD, 2)
            generator.shuffle(words)
            writer.writerow([row, 1.5 if positive else -1.5, f"{' '.join(words)} {row}"])
    return path


def write_tokenizer(folder: Path) -> None:
    """A word-level BERT tokenizer over the words of ``write_reviews``."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *PLAIN, *map(str, range(10))]
    words += [f"##{digit}" for digit in range(10)]
    (folder / "vocab.txt").write_text("\n".join(words))
    from transformers import BertTokenizerFast

    BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=True).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer BERT with random weights, as a Hugging Face folder."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny-bert")
    write_tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer Llama with random weights and sides that 4-bit blocks divide."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("tiny-llama")
    write_tokenizer(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=128,
        max_position_embeddings=64,
        pad_token_id=0,
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``recipes/`` and ``reviews.csv``, and a LUTHIER_HOME of its own."""
    (tmp_path / "recipes").mkdir()
    write_reviews(tmp_path / "reviews.csv")
    monkeypatch.setenv("LUTHIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LUTHIER_RECIPES", str(tmp_path / "recipes"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def write_recipe(project: Path) -> Callable[..., Path]:
    """Writes a recipe into the project; keyword arguments are its sections, as YAML flow text."""

    def write(name: str = "tiny", *, base: Path, **sections: str) -> Path:
        given = {
            "task": "text-classification",
            "data": '{source: reviews.csv, columns: {text: text, label: "sentiment > 0"}, labels: [bad, good], '
            "augmentation: {below: 0}}",
            "base_model": f"{{source: {base}}}",
            "method": "{kind: lora, r: 4, alpha: 8}",
            "training": "{epochs: 3, batch_size: 16, max_length: 16, learning_rate: 2.0e-2, threads: 1}",
            "evaluation": "{metric: accuracy, target: 0.6}",
            **sections,
        }
        path = project / "recipes" / f"{name}.yaml"
        path.write_text("\n".join(f"{section}: {text}" for section, text in given.items()))
        return path

    return write


@pytest.fixture
def yaml_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a recipe as given."""

    def write(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(textwrap.dedent(text))
        return path

    return write


def needed_or_skipped(found: object, reason: str) -> None:
    """Skips with ``reason``; fails instead where everything is required to be there."""
    if not found:
        (pytest.fail if os.environ.get("LUTHIER_REQUIRE_ALL") else pytest.skip)(reason)


@pytest.fixture
def chromium() -> Iterator[str]:
    """The path of a Chromium."""
    import shutil

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    needed_or_skipped(path, "no chromium on this machine: apt-get install chromium")
    yield str(path)


@pytest.fixture(scope="module", autouse=True)
def cheap_collections() -> None:
    """What is there by now stays: trainings collect garbage often, and would go through all that was imported."""
    gc.freeze()
