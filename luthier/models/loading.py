"""Loading a snapshot or a quantized model with the head of a task, safely and at a stated precision."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.pytorch_utils import Conv1D
from transformers.utils import logging as transformers_logging

from luthier.errors import ModelError
from luthier.models.configuration import read_config
from luthier.tasks.head import Head, HeadKind

HEADS = ("lm_head", "score", "classifier", "classification_head", "qa_outputs", "pre_classifier", "pooler", "head")
AUTO_CLASSES: dict[HeadKind, str] = {
    "sequence-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "causal-lm": "AutoModelForCausalLM",
    "seq2seq-lm": "AutoModelForSeq2SeqLM",
}


@contextmanager
def _without_load_report() -> Iterator[None]:
    """Silences the report of a missing head, which is expected: the head is what training makes."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)


def load_tokenizer(folder: Path) -> Any:
    """The snapshot's tokenizer: it pads and cuts on the right, and has a pad token (else its end token).

    Raises:
        ModelError: it has neither.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    if tokenizer.pad_token is None and tokenizer.eos_token is None:
        raise ModelError(
            "the tokenizer has neither a padding token nor an end token",
            where=str(folder),
            remedy="name a pad_token in its tokenizer_config.json",
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(
    folder: Path, head: Head, *, dtype: torch.dtype, attention: str, seed: int = 0, tokenizer: Path | None = None
) -> transformers.PreTrainedModel:
    """A model of ``folder`` with the head of a task.

    ``folder`` is a base snapshot, a quantized model (then ``dtype`` is also its compute precision) or a tuned model.
    A head that the folder lacks, or has for other labels, is initialized from ``seed``. ``tokenizer`` is where the
    tokenizer lies when it is not in ``folder``.
    """
    transformers.set_seed(seed)
    with _without_load_report():
        model, loaded = auto_class(head).from_pretrained(
            folder,
            **_head_config(head),
            **_load_options(folder, dtype, attention),
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    model.new_modules = _new_modules(
        model, head, [*loaded["missing_keys"], *(key for key, *_ in loaded["mismatched_keys"])]
    )
    if model.config.pad_token_id is None or head.kind == "sequence-classification":
        # A decoder's classifier looks for the last token that is not this one.
        model.config.pad_token_id = load_tokenizer(tokenizer or folder).pad_token_id
    _settle_4bit_layers(model, dtype)
    _keep_head_in_float32(model)
    return model


def auto_class(head: Head) -> Any:
    """The transformers class that loads a model with this head."""
    return getattr(transformers, AUTO_CLASSES[head.kind])


def _head_config(head: Head) -> dict[str, Any]:
    if not head.labels and head.problem is None:
        return {}
    names = head.labels or ("LABEL_0",)
    config: dict[str, Any] = {
        "num_labels": len(names),
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }
    return config | ({"problem_type": head.problem} if head.problem else {})


def _new_modules(model: torch.nn.Module, head: Head, missing: Sequence[str]) -> tuple[str, ...]:
    """The modules that training makes: the head, and whatever else the folder had no weights for, such as a pooler.

    A pooler that stayed as it was drawn, frozen beside an adapter, would pass on noise.
    """
    if head.is_language_model:
        if missing:
            raise ModelError(
                "the base model was not trained to write text: its language-model head has no weights",
                received=", ".join(missing[:3]),
                remedy="choose a base model that generates, such as GPT-2, Llama, Qwen2, T5 or BART",
            )
        return ()
    prefix = f"{model.base_model_prefix}."
    if lost := [key for key in missing if key.startswith(prefix) and not key.startswith(f"{prefix}pooler.")]:
        # Llama and Qwen2 name their base otherwise under a head of question answering than everywhere else.
        raise ModelError(
            f"transformers does not find the base's weights for {type(model).__name__}",
            received=f"{len(lost)} weights, such as {lost[0]}",
            remedy="choose a model family that docs/support.md lists for this task",
        )
    named = [name for name, _ in model.named_children() if name in HEADS]
    found = [".".join(key.split(".")[: 2 if key.startswith(prefix) else 1]) for key in missing]
    return tuple(dict.fromkeys([*named, *(name for name in found if name != model.base_model_prefix)]))


def load_encoder(folder: Path, *, dtype: torch.dtype, attention: str) -> transformers.PreTrainedModel:
    """The model of ``folder`` without any head."""
    with _without_load_report():
        model = transformers.AutoModel.from_pretrained(folder, **_load_options(folder, dtype, attention))
    _settle_4bit_layers(model, dtype)
    return model


def encoder_of(model: torch.nn.Module) -> torch.nn.Module:
    """What makes hidden states of a text alone: the model itself, or its half that reads."""
    return model.get_encoder() if model.config.is_encoder_decoder else model


def head_names(model: torch.nn.Module) -> list[str]:
    """The modules of a model of ``load_model`` that training makes anew."""
    return list(model.new_modules)


def _keep_head_in_float32(model: torch.nn.Module) -> None:
    """The head is trained, and bfloat16 rounds most optimizer steps away; its inputs follow its precision."""
    for name in head_names(model):
        head = model.get_submodule(name).float()
        for module in head.modules():
            if isinstance(module, torch.nn.Linear):
                module.register_forward_pre_hook(_match_input)


def _match_input(module: torch.nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].to(module.weight.dtype),)


def linear_layers(folder: Path) -> dict[str, tuple[int, int]]:
    """Every linear layer of the snapshot below its head, as name -> (in, out) features; made without weights."""
    config = read_config(folder)
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(config, attn_implementation="eager")
    # As they are called in a model with a head.
    prefix = model.base_model_prefix
    return {
        f"{prefix}.{name}": (module.in_features, module.out_features)
        if isinstance(module, torch.nn.Linear)
        else tuple(module.weight.shape)
        for name, module in model.named_modules()
        if isinstance(module, (torch.nn.Linear, Conv1D))
    }


def _load_options(folder: Path, dtype: torch.dtype, attention: str) -> dict[str, Any]:
    return {
        "dtype": dtype,
        # Always passed: a config.json may otherwise name attention code to download (its private keys, which win over
        # this, are dropped when the snapshot is made).
        "attn_implementation": attention if attention == "eager" or _has_sdpa(folder) else "eager",
        "use_safetensors": True,
        "trust_remote_code": False,
        "local_files_only": True,
    }


def _has_sdpa(folder: Path) -> bool:
    """Whether the model family can do without eager attention; DeBERTa, for one, cannot."""
    config = read_config(folder)
    return bool(transformers.MODEL_MAPPING[type(config)]._supports_sdpa)


def _settle_4bit_layers(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Makes a model with 4-bit layers compute in ``dtype``, and those layers stay as they were stored.

    Loading takes the precision everything was stored with, whatever is asked. And on processors with AVX512-BF16,
    bitsandbytes repacks a layer the first time it runs in evaluation, for good: its constants are rounded to bfloat16,
    and no gradient passes it any more, so that what follows the first evaluation trains on nothing.
    """
    if not getattr(model, "is_loaded_in_4bit", False):
        return
    import bitsandbytes

    for parameter in model.parameters():
        if parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)
    for module in model.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.compute_dtype = module.weight.quant_state.dtype = dtype
            module.support_avx512bf16_for_cpu = False
