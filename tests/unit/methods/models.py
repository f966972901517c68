"""Tiny models with random weights under the methods, and what is asked of them."""

import tempfile
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from luthier.models.loading import load_model
from luthier.tasks.head import Head
from tests.tiny_models import write_tiny_model

CLASSES = Head("sequence-classification", ("bad", "good"), "single_label_classification")
HEADS = {
    "sequence-classification": CLASSES,
    "token-classification": Head("token-classification", ("O", "B-film", "I-film")),
    "question-answering": Head("question-answering"),
    "causal-lm": Head("causal-lm"),
    "seq2seq-lm": Head("seq2seq-lm"),
}

# Every row ends in the end token, at which BART and T5 answer.
TOKENS = torch.cat([torch.arange(4, 14).reshape(2, 5), torch.full((2, 1), 2)], dim=1)


@cache
def base(family: str) -> Path:
    """The folder of a tiny model, whose biases are not zero."""
    folder = write_tiny_model(family, Path(tempfile.mkdtemp(prefix="luthier-tiny-")))
    generator = torch.Generator().manual_seed(0)
    weights = load_file(folder / "model.safetensors")
    for name, weight in weights.items():
        if name.endswith("bias"):
            weight.normal_(std=0.1, generator=generator)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def tiny_model(family: str, head: Head = CLASSES, *, dtype: torch.dtype = torch.float32) -> torch.nn.Module:
    """A tiny model with a head, always the same one, answering without dropout."""
    return load_model(base(family), head, dtype=dtype, attention="eager").eval()


def inputs(head: Head = CLASSES) -> dict[str, torch.Tensor]:
    """Two texts, and the start of what is generated for them."""
    given = {"input_ids": TOKENS, "attention_mask": torch.ones_like(TOKENS)}
    return {**given, "decoder_input_ids": TOKENS[:, :3]} if head.kind == "seq2seq-lm" else given


def answers(model: torch.nn.Module, head: Head = CLASSES) -> torch.Tensor:
    """What the head puts out for the two texts, with gradients; question answering's starts."""
    outputs = model(**inputs(head))
    return outputs["start_logits"] if "start_logits" in outputs else outputs["logits"]


def logits(model: torch.nn.Module, head: Head = CLASSES) -> torch.Tensor:
    """What the model answers when it does not train."""
    with torch.inference_mode():
        return answers(model.eval(), head)


def step(model: torch.nn.Module, head: Head = CLASSES, *, steps: int = 1, learning_rate: float = 0.1) -> None:
    """Optimizer steps on what requires a gradient."""
    optimizer = torch.optim.AdamW(list(trainable(model).values()), lr=learning_rate)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        answers(model, head).float().pow(2).sum().backward()
        optimizer.step()
    model.eval()


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """What training changes, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
