"""A Llama model and its tokenizer as a GGUF file, and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
import torch
import transformers
from safetensors import safe_open

from luthier.errors import ModelError, ParityError
from luthier.models.configuration import read_config
from luthier.models.loading import load_tokenizer
from luthier.packaging.gguf_tokens import Vocabulary, vocabulary
from luthier.tasks.chat import end_of_turn

ARCHITECTURE: Final = "llama"
FILE_TYPES: Final = {"float32": gguf.LlamaFileType.ALL_F32, "float16": gguf.LlamaFileType.MOSTLY_F16}
# What llama.cpp computes for every model of this architecture.
PLAIN: Final = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}


def require_llama(folder: Path) -> None:
    """Raises a ModelError where a Llama model has something that the file cannot say, or its tokenizer does."""
    config = read_config(folder)
    rope = config.rope_parameters["rope_type"]
    found = {name: getattr(config, name) for name, usual in PLAIN.items() if getattr(config, name) != usual}
    if found or rope != "default":
        raise ModelError(
            "GGUF by Luthier is for plain Llama models",
            where=str(folder / "config.json"),
            received=found or f"rope_type {rope}",
            remedy="leave gguf out of deploy.targets, and convert the folder target with llama.cpp",
        )
    vocabulary(load_tokenizer(folder), size=config.vocab_size)


def write_gguf(folder: Path, target: Path, *, name: str, precision: str) -> Path:
    """Writes the model of ``folder`` to a file in ``target``, named by GGUF's own convention."""
    require_llama(folder)
    config, tokenizer = read_config(folder), load_tokenizer(folder)
    tensors = dict(_tensors(folder, config, precision))
    parameters = sum(tensor.size for tensor in tensors.values())
    size = gguf.size_label(parameters, 0, 0, 0)
    file_type = FILE_TYPES[precision]
    stem = gguf.naming_convention(name, None, None, None, size, {"float32": "F32", "float16": "F16"}[precision])
    writer = gguf.GGUFWriter(target / f"{stem}.gguf", ARCHITECTURE)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    writer.add_size_label(size)
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_shape(writer, config)
    _add_tokenizer(writer, tokenizer, vocabulary(tokenizer, size=config.vocab_size))
    for tensor_name, tensor in tensors.items():
        writer.add_tensor(tensor_name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target / f"{stem}.gguf"


def load_gguf(file: Path) -> Any:
    """The model as transformers reads it, in float32."""
    transformers.utils.logging.disable_progress_bar()
    return transformers.AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32, attn_implementation="eager", local_files_only=True
    )


def require_tokens(file: Path, folder: Path) -> None:
    """Raises a ParityError unless the file says of every token what the tokenizer of ``folder`` does."""
    fields = gguf.GGUFReader(file).fields
    tokenizer = load_tokenizer(folder)
    wanted = vocabulary(tokenizer, size=read_config(folder).vocab_size)
    keys = gguf.Keys.Tokenizer
    expected = {
        keys.LIST: wanted.tokens,
        keys.MERGES: wanted.merges,
        keys.TOKEN_TYPE: [int(kind) for kind in wanted.types],
        keys.PRE: wanted.pre,
        keys.BOS_ID: tokenizer.bos_token_id,
        keys.EOS_ID: tokenizer.eos_token_id,
        keys.UNK_ID: tokenizer.unk_token_id,
        keys.PAD_ID: tokenizer.pad_token_id,
        keys.CHAT_TEMPLATE: tokenizer.chat_template,
    }
    if other := [
        key for key, value in expected.items() if value != (fields[key].contents() if key in fields else None)
    ]:
        raise ParityError("the GGUF file has another tokenizer than the model", where=file.name, received=other)


def _add_shape(writer: gguf.GGUFWriter, config: Any) -> None:
    writer.add_vocab_size(config.vocab_size)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(_head_size(config))
    writer.add_value_length(_head_size(config))
    writer.add_rope_dimension_count(_head_size(config))
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any, found: Vocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(found.pre)
    writer.add_token_list(found.tokens)
    writer.add_token_types(found.types)
    writer.add_token_merges(found.merges)
    special = {
        writer.add_bos_token_id: tokenizer.bos_token_id,
        writer.add_eos_token_id: tokenizer.eos_token_id,
        writer.add_unk_token_id: tokenizer.unk_token_id,
        writer.add_pad_token_id: tokenizer.pad_token_id,
        # A chat model's answers often end with another token than texts do.
        writer.add_eot_token_id: end_of_turn(tokenizer),
    }
    for add, token in special.items():
        if token is not None:
            add(token)
    ids = tokenizer("a")["input_ids"]
    writer.add_add_bos_token(ids[0] == tokenizer.bos_token_id)
    writer.add_add_eos_token(ids[-1] == tokenizer.eos_token_id)
    if tokenizer.chat_template is not None:
        writer.add_chat_template(tokenizer.chat_template)


def _tensors(folder: Path, config: Any, precision: str) -> Iterator[tuple[str, np.ndarray]]:
    """Each weight by llama.cpp's name; vectors stay in float32, and tied embeddings are there once."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as stored:
            for name in stored.keys():  # noqa: SIM118 (not a mapping)
                if name == "lm_head.weight" and config.tie_word_embeddings:
                    continue
                weight = stored.get_tensor(name).float().numpy()
                if (part := name.split(".")[-2]) in heads:
                    weight = _interleaved(weight, heads[part])
                half = precision == "float16" and weight.ndim > 1
                yield names.get_name(name, try_suffixes=(".weight",)), weight.astype(np.float16 if half else np.float32)


def _interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of queries or keys as llama.cpp rotates them: it turns neighbours, transformers one half with the other."""
    halves = weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
    return halves.swapaxes(1, 2).reshape(weight.shape)


def _head_size(config: Any) -> int:
    return config.head_dim or config.hidden_size // config.num_attention_heads
