"""The base model: an immutable local snapshot of a pretrained model and its tokenizer."""

import json
import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from safetensors import safe_open

from luthier.errors import ModelError
from luthier.models.loading import linear_layers, read_config
from luthier.sources.fetched import Fetched

log = logging.getLogger(__name__)

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "chat_template.jinja",
)


@dataclass(frozen=True)
class BaseFacts:
    """What a snapshot holds; ``bytes`` counts the weights in the precision they are stored in."""

    family: str
    architecture: str
    encoder_decoder: bool
    parameters: int
    bytes: int
    dtype: str
    layers: int
    hidden_size: int
    vocabulary: int
    maximum_length: int
    provenance: dict[str, str]
    linear_layers: dict[str, tuple[int, int]]


def write_base_model(fetched: Fetched, folder: Path) -> BaseFacts:
    """Copies a Hugging Face folder, or converts a GGUF file to safetensors, into ``folder``.

    Raises:
        ModelError: no ``config.json``, or weights that are not safetensors (pickled weights are never opened).
    """
    if fetched.path.is_file() and fetched.path.suffix == ".gguf":
        _dequantize_gguf(fetched.path, folder)
    else:
        _copy_hugging_face_folder(fetched.path, folder)
    facts = _facts(folder, fetched)
    (folder / "facts.json").write_text(json.dumps(asdict(facts), indent=2))
    return facts


def _copy_hugging_face_folder(source: Path, folder: Path) -> None:
    where = str(source)
    if not (source / "config.json").is_file():
        raise ModelError("not a model folder: config.json is missing", where=where, remedy="name the folder itself")
    weights = sorted(source.glob("*.safetensors")) + sorted(source.glob("*.safetensors.index.json"))
    if not any(path.suffix == ".safetensors" for path in weights):
        found = sorted(path.name for path in source.glob("*.bin"))
        raise ModelError(
            "no safetensors weights",
            where=where,
            received=found or None,
            remedy="convert the weights to safetensors; pickled weights can run code and are never opened",
        )
    tokenizer = [source / name for name in TOKENIZER_FILES if (source / name).is_file()]
    optional = [path for path in (source / "generation_config.json",) if path.is_file()]
    for path in [source / "config.json", *weights, *tokenizer, *optional]:
        shutil.copyfile(path, folder / path.name)


def _dequantize_gguf(file: Path, folder: Path) -> None:
    log.info("dequantizing %s", file.name)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )
    config = loaded.config
    del config.quantization_config
    # transformers refuses to save a model that came from GGUF, so its weights move into a plain one.
    plain = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    plain.load_state_dict(loaded.state_dict())
    plain.save_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True)
    tokenizer.save_pretrained(folder)


def _facts(folder: Path, fetched: Fetched) -> BaseFacts:
    config = read_config(folder)
    shapes: list[tuple[int, str]] = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as tensors:
            slices = (tensors.get_slice(name) for name in tensors.keys())  # noqa: SIM118 (not a mapping)
            shapes += [(int(torch.Size(part.get_shape()).numel()), part.get_dtype()) for part in slices]
    dtypes = {dtype for _, dtype in shapes if dtype.startswith(("F", "BF"))}
    return BaseFacts(
        family=config.model_type,
        architecture=(config.architectures or ["unknown"])[0],
        encoder_decoder=config.is_encoder_decoder,
        parameters=sum(count for count, dtype in shapes if dtype.startswith(("F", "BF"))),
        bytes=sum(path.stat().st_size for path in folder.glob("*.safetensors")),
        dtype="/".join(sorted(dtypes)),
        layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        vocabulary=config.vocab_size,
        maximum_length=getattr(config, "max_position_embeddings", 0),
        provenance=dict(fetched.provenance),
        linear_layers=linear_layers(folder),
    )
