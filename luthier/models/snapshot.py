"""The base model: an immutable local snapshot of a pretrained model and its tokenizer."""

import json
import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import transformers
from safetensors import SafetensorError, safe_open

from luthier.errors import ModelError
from luthier.methods.shape import longest_input
from luthier.models.configuration import CONFIG, configuration, read_config, read_object
from luthier.models.loading import linear_layers, load_tokenizer
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
# One of these at least makes a tokenizer.
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")


@dataclass(frozen=True)
class BaseFacts:
    """What a snapshot holds; ``bytes`` counts the weights in the precision they are stored in.

    ``maximum_length`` is in tokens; 0 where the model has no positions that would end.
    """

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


def require_model_folder(source: Path) -> None:
    """Raises a ModelError unless a folder holds a whole model as safetensors, not quantized, and its tokenizer."""
    where = str(source)
    if not (source / CONFIG).is_file():
        raise ModelError("not a model folder: config.json is missing", where=where, remedy="name the folder itself")
    if not any(source.glob("*.safetensors")):
        found = sorted(path.name for path in source.glob("*.bin"))
        raise ModelError(
            "no safetensors weights",
            where=where,
            received=found or None,
            remedy="convert the weights to safetensors; pickled weights can run code and are never opened",
        )
    _require_shards(source)
    if not any((source / name).is_file() for name in VOCABULARIES):
        raise ModelError("no tokenizer", where=where, remedy="put the model's own tokenizer beside it")
    if "quantization_config" in (config := configuration(source)):
        raise ModelError(
            "the model is quantized already",
            where=where,
            received=config["quantization_config"],
            remedy="start from the model as it was before, with method.kind: qlora",
        )


def _copy_hugging_face_folder(source: Path, folder: Path) -> None:
    require_model_folder(source)
    weights = [*source.glob("*.safetensors"), *source.glob("*.safetensors.index.json")]
    rest = [source / name for name in (*TOKENIZER_FILES, "generation_config.json") if (source / name).is_file()]
    for path in [*weights, *rest]:
        shutil.copyfile(path, folder / path.name)
    (folder / CONFIG).write_text(json.dumps(configuration(source), indent=2))


def _require_shards(source: Path) -> None:
    """Raises a ModelError where an index names weights that are not there, or are no safetensors."""
    for index in source.glob("*.safetensors.index.json"):
        named = sorted(set(read_object(index).get("weight_map", {}).values()))
        lacking = [name for name in named if not (name.endswith(".safetensors") and (source / name).is_file())]
        if lacking:
            remedy = "fetch the whole model, as safetensors"
            raise ModelError("weights are missing", where=str(index), received=lacking, remedy=remedy)


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
        try:
            with safe_open(path, framework="pt") as tensors:
                slices = (tensors.get_slice(name) for name in tensors.keys())  # noqa: SIM118 (not a mapping)
                shapes += [(int(torch.Size(part.get_shape()).numel()), part.get_dtype()) for part in slices]
        except SafetensorError as error:
            remedy = "fetch the model again"
            raise ModelError("not whole", where=path.name, received=str(error), remedy=remedy) from error
    load_tokenizer(folder)
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
        maximum_length=longest_input(config) or 0,
        provenance=dict(fetched.provenance),
        linear_layers=linear_layers(folder),
    )
