"""What is to be said of one training before it begins."""

import json

import torch

from luthier.methods.advice import Advice, advice
from luthier.methods.shape import shape_of
from luthier.models.configuration import read_config
from luthier.models.loading import auto_class
from luthier.training.compute import fast_bfloat16
from luthier.training.job import FineTuning
from luthier.training.memory import available_memory


def advice_on(job: FineTuning) -> list[Advice]:
    """Errors first; nothing is loaded but the model's configuration."""
    with torch.device("meta"):
        model = auto_class(job.head).from_config(read_config(job.model), attn_implementation="eager")
    heads = [name for name, _ in model.named_children() if not job.head.is_language_model]
    facts = json.loads((job.tokens / "facts.json").read_text())["train"]
    return advice(
        shape_of(model, without=[name for name in heads if name != model.base_model_prefix]),
        job.method,
        job.training,
        rows=facts["rows"],
        tokens=facts["tokens"],
        fast_bfloat16=fast_bfloat16(job.compute.device),
        device=job.compute.device,
        memory_available=available_memory(job.compute.device),
    )
