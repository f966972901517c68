"""Text classification: a text, or a pair of texts, and a label, several labels or a number.

A row: ``{"text": "Effective but too tepid biopic", "pair": None, "label": "negative", "label_id": 0}``
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.tasks.batches import by_length, padded, without_repeats
from luthier.tasks.calibration import PROBABLE
from luthier.tasks.head import Head, Problem
from luthier.tasks.task import BaselineInputs, Collator, Encoded, Inference, Predictions, Task

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

PROBLEMS: dict[str, Problem] = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "number": "regression",
}
METRICS = {
    "single": ("accuracy", "f1_macro", "f1_micro", "mcc", "roc_auc"),
    "multi": ("f1_micro", "f1_macro", "accuracy", "roc_auc"),
    "number": ("pearson", "spearman", "mse"),
}


class TextClassification(Task):
    """Classes, several labels at once, or regression."""

    name: ClassVar[str] = "text-classification"
    label_kinds: ClassVar[tuple[str, ...]] = ("single", "multi", "number")

    def metrics(self, label_kind: str) -> tuple[str, ...]:
        return METRICS[label_kind]

    def head(self, labels: Sequence[str], label_kind: str, *, encoder_decoder: bool) -> Head:
        return Head("sequence-classification", tuple(labels), PROBLEMS[label_kind])

    def encode(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> Encoded:
        columns = _tokens(tokenizer, rows, max_length=max_length)
        columns["labels"] = targets_of(rows, head)
        columns["row"] = list(range(len(rows)))
        cut = sum(len(ids) >= max_length for ids in columns["input_ids"])
        return Encoded(columns, {"at_limit": cut})

    def collator(self, tokenizer: Any, head: Head, config: Any) -> Collator:
        """``labels`` of shape (rows,), or (rows, labels) of 0 and 1 where a row has several."""
        import torch

        def collate(features: list[dict[str, Any]]) -> dict[str, Any]:
            batch = padded(tokenizer, features)
            kind = torch.long if head.problem == PROBLEMS["single"] else torch.float32
            batch["labels"] = torch.tensor([f["labels"] for f in features], dtype=kind)
            return batch

        return collate

    def loss(
        self,
        logits: Any,
        labels: "torch.Tensor",
        items: "torch.Tensor | int",
        *,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> "torch.Tensor":
        """Cross-entropy of classes, binary cross-entropy of several labels, squared error of numbers.

        Torch's own weighted mean would divide by the weights of the micro-batch's labels.
        """
        import torch
        from torch.nn import functional

        logits = logits.float()
        if not labels.is_floating_point():
            weight = None if class_weights is None else torch.tensor(class_weights, device=logits.device)
            total = functional.cross_entropy(
                logits, labels, weight=weight, reduction="sum", label_smoothing=label_smoothing
            )
        elif labels.ndim == 1:
            total = functional.mse_loss(logits[:, 0], labels, reduction="sum")
        else:
            smoothed = labels * (1 - label_smoothing) + label_smoothing / 2
            total = functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="sum")
        return total / items

    def validation_metrics(
        self, kept: "np.ndarray", labels: "np.ndarray", features: Any, head: Head, *, required: str | None = None
    ) -> Mapping[str, float]:
        from luthier.evaluation.scores import defined_points

        kind = next(kind for kind, problem in PROBLEMS.items() if problem == head.problem)
        outputs = _activated(kept, head)

        def compared(metric: str) -> tuple[Any, Any]:
            return labels, _decided(metric, outputs, head)

        return defined_points(METRICS[kind], compared, required=required)

    def predict(
        self, model: "torch.nn.Module", tokenizer: Any, rows: "pa.Table", head: Head, how: Inference
    ) -> Predictions:
        """Evidence: class probabilities, one probability a label, or the number itself; batched by length.

        Rows that are the same to the model, such as those that an uncased tokenizer reads alike, are asked once.
        """
        import numpy as np
        import torch

        tokens, which = without_repeats(_tokens(tokenizer, rows, max_length=how.max_length))
        device = next(model.parameters()).device
        logits = np.empty((len(tokens["input_ids"]), max(1, len(head.labels))), dtype=np.float32)
        model.eval()
        with torch.inference_mode():
            for chosen, batch in by_length(tokenizer, tokens, how.batch_size, device):
                logits[chosen] = model(**batch).logits.float().cpu().numpy()
        return _predictions(_activated(logits[which], head), head)

    def compared(self, metric: str, rows: "pa.Table", predictions: Predictions, head: Head) -> tuple[Any, Any]:
        import numpy as np

        gold = np.array(targets_of(rows, head))
        if metric == "roc_auc" or head.problem == PROBLEMS["number"]:
            return gold, _decided(metric, np.stack(list(predictions.evidence)), head)
        return gold, np.array(_ids(predictions.answers, head))

    def baselines(self, given: BaselineInputs) -> Mapping[str, Predictions]:
        from luthier.evaluation.baselines import classification_baselines

        train, test = texts_of(given.train), texts_of(given.test)
        found = classification_baselines(given, train, test, targets_of(given.train, given.head))
        return {name: _predictions(outputs, given.head) for name, outputs in found.items()}

    def probe(self, given: BaselineInputs) -> Predictions | None:
        from luthier.evaluation.baselines import probe_outputs

        train, test = texts_of(given.train), texts_of(given.test)
        return _predictions(probe_outputs(given, train, test, targets_of(given.train, given.head)), given.head)


def _tokens(tokenizer: Any, rows: "pa.Table", *, max_length: int) -> dict[str, list[Any]]:
    texts = rows["text"].to_pylist()
    if not len(rows) or rows["pair"][0].as_py() is None:
        tokens = tokenizer(texts, truncation=True, max_length=max_length)
    else:
        tokens = tokenizer(texts, rows["pair"].to_pylist(), truncation=True, max_length=max_length)
    return {name: tokens[name] for name in tokenizer.model_input_names if name in tokens}


def texts_of(rows: "pa.Table") -> list[str]:
    """Each text, with its pair below it."""
    pairs = zip(rows["text"].to_pylist(), rows["pair"].to_pylist(), strict=True)
    return [text if pair is None else f"{text}\n{pair}" for text, pair in pairs]


def targets_of(rows: "pa.Table", head: Head) -> list[Any]:
    """What is learned of each row: a class id, 0 and 1 for each label, or a number."""
    if head.problem == PROBLEMS["number"]:
        return rows["label"].to_pylist()
    ids = rows["label_id"].to_pylist()
    if head.problem == PROBLEMS["single"]:
        return ids
    return [[int(label in given) for label in range(len(head.labels))] for given in ids]


def _ids(answers: Sequence[Any], head: Head) -> list[Any]:
    """The class of each row, or 0 and 1 for each label."""
    if head.problem == PROBLEMS["single"]:
        known = {label: place for place, label in enumerate(head.labels)}
        return [known[answer] for answer in answers]
    return [[int(label in answer) for label in head.labels] for answer in answers]


def _activated(logits: "np.ndarray", head: Head) -> "np.ndarray":
    """Probabilities of logits (rows x classes); numbers stay as they are."""
    import torch

    if head.problem == PROBLEMS["number"]:
        return logits
    outputs = torch.from_numpy(logits).float()
    single = head.problem == PROBLEMS["single"]
    return (outputs.softmax(dim=-1) if single else outputs.sigmoid()).numpy()


def _decided(metric: str, outputs: "np.ndarray", head: Head) -> "np.ndarray":
    if head.problem == PROBLEMS["number"]:
        return outputs[:, 0]
    if metric == "roc_auc":
        return outputs
    return outputs.argmax(axis=1) if head.problem == PROBLEMS["single"] else (outputs >= PROBABLE).astype(int)


def _predictions(outputs: "np.ndarray", head: Head) -> Predictions:
    if head.problem == PROBLEMS["number"]:
        return Predictions([float(value) for value in outputs[:, 0]], list(outputs))
    if head.problem == PROBLEMS["single"]:
        return Predictions([head.labels[index] for index in outputs.argmax(axis=1)], list(outputs))
    answers = [[head.labels[index] for index in (row >= PROBABLE).nonzero()[0]] for row in outputs]
    return Predictions(answers, list(outputs))
