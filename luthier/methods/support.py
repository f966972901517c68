"""What cannot be done: a kind of head on a family's model, or a method on a family's model with one kind of head."""

from dataclasses import dataclass
from typing import Final, get_args

from luthier.methods.shape import Architecture
from luthier.tasks.head import HeadKind

FAMILIES: Final[dict[str, Architecture]] = {
    "bert": "encoder",
    "roberta": "encoder",
    "distilbert": "encoder",
    "deberta-v2": "encoder",
    "modernbert": "encoder",
    "gpt2": "decoder",
    "llama": "decoder",
    "qwen2": "decoder",
    "t5": "encoder-decoder",
    "bart": "encoder-decoder",
}
"""The model families that are tested, by transformers' name of their type."""

HEADS: Final[tuple[HeadKind, ...]] = get_args(HeadKind)


@dataclass(frozen=True)
class Unsupported:
    """Combinations that fail alike; no methods are all of them. ``instead`` names methods that work there."""

    families: tuple[str, ...]
    heads: tuple[HeadKind, ...]
    reason: str
    methods: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()


UNSUPPORTED: Final = (
    Unsupported(
        families=("bert", "deberta-v2", "distilbert", "modernbert", "roberta"),
        heads=("causal-lm", "seq2seq-lm"),
        reason="an encoder generates no text",
    ),
    Unsupported(
        families=("gpt2", "llama", "qwen2"),
        heads=("seq2seq-lm",),
        reason="a decoder has no encoder; the task uses it as a causal model",
    ),
    Unsupported(
        families=("bart", "t5"),
        heads=("causal-lm",),
        reason="its decoder was pretrained beside its encoder; the task uses both",
    ),
    Unsupported(
        families=("bart",),
        heads=("token-classification",),
        reason="transformers has no such model",
    ),
    Unsupported(
        families=("llama", "qwen2"),
        heads=("question-answering",),
        reason="transformers does not find the base's weights for this model",
    ),
    Unsupported(
        methods=("prefix",),
        families=("deberta-v2", "distilbert", "modernbert"),
        heads=HEADS,
        reason="its attention takes no keys and values from outside",
        instead=("lora", "prompt"),
    ),
    Unsupported(
        methods=("prefix",),
        families=("bart", "t5"),
        heads=("sequence-classification", "token-classification", "question-answering"),
        reason="keys and values from outside reach its decoder only where it generates",
        instead=("lora", "bottleneck"),
    ),
    Unsupported(
        methods=("prompt", "ptuning"),
        families=("bart", "t5"),
        heads=("sequence-classification", "question-answering"),
        reason="its classifiers take tokens, and no embeddings in place of them",
        instead=("lora", "bottleneck"),
    ),
    Unsupported(
        methods=("bitfit",),
        families=("llama", "modernbert", "t5"),
        heads=HEADS,
        reason="it has no biases to train",
        instead=("lora", "ia3"),
    ),
)


def unsupported(method: str, family: str, head: HeadKind) -> Unsupported | None:
    """Why a combination does not work, if it does not."""
    for row in UNSUPPORTED:
        if method in (row.methods or (method,)) and family in row.families and head in row.heads:
            return row
    return None
