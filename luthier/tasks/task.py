"""What every task answers: rendering, head, collation, loss, prediction and metrics together."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from luthier.tasks.head import Head

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    import torch

    from luthier.models.features import RememberedFeatures

# A place without a label; transformers and torch know it by this number.
IGNORED: Final = -100
# The baseline that every task has.
UNTUNED: Final = "untuned base"

Collator = Callable[[list[dict[str, Any]]], dict[str, "torch.Tensor"]]


@dataclass(frozen=True)
class Encoded:
    """Model inputs of a table of rows: a row may give several features, or none.

    ``columns`` have at least input_ids, labels and row, the place of the feature's row in the table. ``counts`` says
    how many rows were cut, lost part of their answer (``truncated_answers``) or cannot be learned from
    (``unlearnable``: no label is left to train on; such rows are not in ``columns``).
    """

    columns: dict[str, list[Any]]
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Inference:
    """How rows are predicted. Tasks that generate do so for the first ``generated_rows`` rows alone."""

    max_length: int
    batch_size: int = 64
    max_new_tokens: int = 128
    generated_rows: int = 200


@dataclass(frozen=True)
class Predictions:
    """What a model answers to each row of a table.

    ``answers`` are as people read them: a label, labels, a number, spans, a text, None where nothing was generated.
    ``evidence`` has float32 numbers a row that every faithful copy of the model gives too: class probabilities
    (classes), tag probabilities (words x tags), the negative log-likelihood of each token of the row's own answer.
    ``cut`` says of each generated text whether the limit of new tokens ended it; nothing is known without it.
    """

    answers: Sequence[Any]
    evidence: Sequence["np.ndarray"]
    cut: Sequence[bool] = ()

    def of(self, rows: Sequence[int]) -> "Predictions":
        """Those of some rows, in this order."""
        return Predictions(
            [self.answers[row] for row in rows],
            [self.evidence[row] for row in rows],
            tuple(self.cut[row] for row in rows if row < len(self.cut)),
        )


@dataclass(frozen=True)
class BaselineInputs:
    """What baselines may learn from, the rows they answer, and the folder of the model that is not tuned yet.

    ``features`` are that model's, where more than one baseline or probe asks for them.
    """

    train: "pa.Table"
    test: "pa.Table"
    head: Head
    model: Path
    how: Inference
    features: "RememberedFeatures | None" = None


class Task(ABC):
    """A kind of work that a model learns. It has no state: what differs between recipes is in the head.

    Tables of rows have the columns of a split: text, pair, messages, label, label_id.
    """

    name: ClassVar[str]
    # The first is the default.
    label_kinds: ClassVar[tuple[str, ...]]

    @abstractmethod
    def metrics(self, label_kind: str) -> tuple[str, ...]:
        """The metrics that mean something for labels of a kind; the first is the default."""

    def selected_by(self, metric: str) -> str:
        """The metric of a validation that picks the best checkpoint where ``metric`` decides."""
        return metric

    @abstractmethod
    def head(self, labels: Sequence[str], label_kind: str, *, encoder_decoder: bool) -> Head:
        """The head for the labels of a data set on a model of either kind."""

    @abstractmethod
    def encode(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> Encoded:
        """Model inputs, cut to ``max_length`` tokens and not padded."""

    @abstractmethod
    def collator(self, tokenizer: Any, head: Head, config: Any) -> Collator:
        """Pads a list of features to one batch with ``labels``, which the model itself never sees.

        ``config`` is the model's.
        """

    @abstractmethod
    def loss(
        self,
        logits: Any,
        labels: "torch.Tensor",
        items: "torch.Tensor | int",
        *,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> "torch.Tensor":
        """The summed loss of a micro-batch over ``items``, the labels that are not -100 in the accumulated batch.

        The model's own loss is a mean over each micro-batch, which the Trainer then adds up without dividing
        (transformers issue 47688); this sum equals the large batch's gradient whatever the micro-batches' sizes.
        ``logits`` are those of the model's output: one tensor, or (start, end) of question answering.
        ``class_weights`` go by label id.
        """

    def kept(self, logits: Any, labels: "torch.Tensor") -> Any:
        """What validation keeps of a batch's logits."""
        return logits

    @abstractmethod
    def validation_metrics(
        self,
        kept: Any,
        labels: "np.ndarray",
        features: "datasets.Dataset",
        head: Head,
        *,
        required: str | None = None,
    ) -> Mapping[str, float]:
        """The metrics of a validation by name, from what was kept of all its features; none needs generation.

        A metric that these rows leave undefined is left out.

        Raises:
            UndefinedMetricError: it is ``required``.
        """

    @abstractmethod
    def predict(
        self, model: "torch.nn.Module", tokenizer: Any, rows: "pa.Table", head: Head, how: Inference
    ) -> Predictions:
        """The model's answers in the order of ``rows``."""

    @abstractmethod
    def compared(self, metric: str, rows: "pa.Table", predictions: Predictions, head: Head) -> tuple[Any, Any]:
        """What ``luthier.evaluation.scores`` compares for a metric: gold and predicted, as it wants them."""

    @abstractmethod
    def baselines(self, given: BaselineInputs) -> Mapping[str, Predictions]:
        """What a fine-tuned model has to beat on the test rows, by name."""

    def probe(self, given: BaselineInputs) -> Predictions | None:
        """What a linear model on the untuned base's frozen features answers; None where the task has no such probe."""
        return None
