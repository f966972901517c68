"""Text classification: one text, one of two or more labels.

A row: ``{"text": "Effective but too tepid biopic", "label": "negative", "label_id": 0}``
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True)
class TextClassification:
    """Rendering, collation, prediction and metrics of one task together, so that they cannot disagree."""

    name: ClassVar[str] = "text-classification"
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "f1_macro", "f1_micro", "mcc")
    default_metric: ClassVar[str] = "accuracy"
    label_kinds: ClassVar[tuple[str, ...]] = ("single",)

    def tokenize(self, texts: Sequence[str], tokenizer: Any, *, max_length: int) -> dict[str, Any]:
        """Token ids and attention masks, cut to ``max_length`` and not padded."""
        tokens = tokenizer(list(texts), truncation=True, max_length=max_length)
        return {name: tokens[name] for name in ("input_ids", "attention_mask")}

    def collator(self, tokenizer: Any) -> Any:
        """Pads each batch to its longest row."""
        import transformers

        return transformers.DataCollatorWithPadding(tokenizer)

    def metrics_of(self, labels: "np.ndarray", logits: "np.ndarray") -> dict[str, float]:
        """Every metric of the task; ``logits`` of shape (rows, classes)."""
        from luthier.evaluation.scores import point

        predictions = logits.argmax(axis=-1)
        return {metric: point(metric, labels, predictions) for metric in self.metrics}

    def probabilities(
        self, model: "torch.nn.Module", tokenizer: Any, texts: Sequence[str], *, max_length: int, batch_size: int = 64
    ) -> "np.ndarray":
        """Class probabilities (rows x classes, float32) in the order of ``texts``, batched by length."""
        import numpy as np
        import torch

        tokens = self.tokenize(texts, tokenizer, max_length=max_length)
        order = sorted(range(len(texts)), key=lambda row: len(tokens["input_ids"][row]))
        device = next(model.parameters()).device
        found: list[torch.Tensor] = []
        model.eval()
        with torch.inference_mode():
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                batch = tokenizer.pad({n: [v[r] for r in rows] for n, v in tokens.items()}, return_tensors="pt")
                found.append(model(**batch.to(device)).logits.float().softmax(dim=-1).cpu())
        probabilities = np.empty((len(texts), found[0].shape[1]), dtype=np.float32)
        probabilities[order] = torch.cat(found).numpy()
        return probabilities
