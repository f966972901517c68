"""Extractive question answering: a text, a question, and where the text answers it.

A row: ``{"text": "Ann met Bob.", "pair": "Whom did Ann meet?", "label": [{"start": 8, "end": 11, ...}]}``, in
characters. Several answers are all acceptable; an empty list is a question that the text does not answer.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.errors import ModelError
from luthier.tasks.answer_search import Candidate, Passage, candidates, decided
from luthier.tasks.batches import padded
from luthier.tasks.head import Head
from luthier.tasks.task import BaselineInputs, Collator, Encoded, Inference, Predictions, Task
from luthier.tasks.windows import Place, Windows, outputs, windows

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

METRICS = ("squad_f1", "exact_match")
# Tokens of the text that a window has room for beside the longest question, at least.
LEAST_ROOM = 6

Span = Mapping[str, Any]


class QuestionAnswering(Task):
    """The first and the last token of the answer (Devlin et al. 2019, arXiv 1810.04805), both 0 for no answer."""

    name: ClassVar[str] = "question-answering"
    label_kinds: ClassVar[tuple[str, ...]] = ("answers",)

    def metrics(self, label_kind: str) -> tuple[str, ...]:
        return METRICS

    def head(self, labels: Sequence[str], label_kind: str, *, encoder_decoder: bool) -> Head:
        return Head("question-answering")

    def encode(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> Encoded:
        """A feature for each window; an answer that no window has whole is learned as far as a window has it.

        Validation reads the answers, the passage of the window, and the characters of it that each token stands for.
        """
        texts, spans = rows["text"].to_pylist(), rows["label"].to_pylist()
        found, cut = _windows(rows, tokenizer, max_length)
        counts = {"windows": len(found.rows), "cut_questions": cut, "truncated_answers": 0, "unlearnable": 0}
        targets: dict[int, list[int]] = {}
        for row, chosen in enumerate(_by_row(found, len(rows))):
            share, labels = _targets(found, chosen, spans[row])
            counts["truncated_answers"] += 0 < share < 1
            counts["unlearnable"] += not share
            if share:
                targets |= zip(chosen, labels, strict=True)
        passages = [_passage(found, window, texts) for window in targets]
        columns: dict[str, list[Any]] = {name: [ids[w] for w in targets] for name, ids in found.inputs.items()}
        columns["labels"] = list(targets.values())
        columns["row"] = [found.rows[window] for window in targets]
        columns["answers"] = [_texts(texts[row], spans[row]) for row in columns["row"]]
        for name in ("text", "first", "offsets"):
            columns[name] = [getattr(passage, name) for passage in passages]
        return Encoded(columns, counts)

    def collator(self, tokenizer: Any, head: Head, config: Any) -> Collator:
        """``labels`` of shape (windows, 3): first and last token of the answer, and how many tokens there are.

        Padding is no place for an answer, and how much of it a batch has must not change the loss.
        """
        import torch

        def collate(features: list[dict[str, Any]]) -> dict[str, Any]:
            batch = padded(tokenizer, features)
            batch["labels"] = torch.tensor([[*f["labels"], len(f["input_ids"])] for f in features])
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
        """Cross-entropy over the positions of the window, the mean of start and end."""
        import torch

        padding = torch.arange(logits[0].shape[1], device=labels.device) >= labels[:, 2:]
        total = logits[0].new_zeros((), dtype=torch.float32)
        for side, positions in zip(logits, labels[:, :2].T, strict=True):
            likelihood = side.float().masked_fill(padding, -torch.inf).log_softmax(dim=1)
            right = likelihood.gather(1, positions[:, None]).sum()
            all_positions = (likelihood.masked_fill(padding, 0).sum(dim=1) / labels[:, 2]).sum()
            total = total - (1 - label_smoothing) * right - label_smoothing * all_positions
        # Three items are a window, whose loss is the mean of two.
        return total * 3 / (2 * items)

    def validation_metrics(
        self,
        kept: tuple["np.ndarray", "np.ndarray"],
        labels: "np.ndarray",
        features: Any,
        head: Head,
        *,
        required: str | None = None,
    ) -> Mapping[str, float]:
        from luthier.evaluation.scores import point

        read = features.select_columns(["row", "answers", "text", "first", "offsets"])[:]
        passages = [Passage(*passage) for passage in zip(read["text"], read["first"], read["offsets"], strict=True)]
        found: dict[int, list[Candidate]] = defaultdict(list)
        for row, candidate in zip(read["row"], candidates(*kept, passages), strict=True):
            found[row].append(candidate)
        gold = dict(zip(read["row"], read["answers"], strict=True))
        predicted = [decided(of_row).text for of_row in found.values()]
        return {metric: point(metric, [gold[row] for row in found], predicted) for metric in METRICS}

    def predict(
        self, model: "torch.nn.Module", tokenizer: Any, rows: "pa.Table", head: Head, how: Inference
    ) -> Predictions:
        """Evidence: as ``Found`` has it, of the whole text."""
        texts = rows["text"].to_pylist()
        given, _ = _windows(rows, tokenizer, how.max_length)
        found: list[list[Candidate]] = [[] for _ in texts]
        for chosen, output in outputs(model, tokenizer, given, how.batch_size):
            logits = [side.float().cpu().numpy() for side in (output.start_logits, output.end_logits)]
            passages = [Passage(texts[given.rows[w]], given.firsts[w], given.offsets[w]) for w in chosen]
            for window, candidate in zip(chosen, candidates(logits[0], logits[1], passages), strict=True):
                found[given.rows[window]].append(candidate)
        answers = [decided(of_row) for of_row in found]
        return Predictions([answer.text for answer in answers], [answer.evidence for answer in answers])

    def compared(self, metric: str, rows: "pa.Table", predictions: Predictions, head: Head) -> tuple[Any, Any]:
        pairs = zip(rows["text"].to_pylist(), rows["label"].to_pylist(), strict=True)
        return [_texts(text, spans) for text, spans in pairs], predictions.answers

    def baselines(self, given: BaselineInputs) -> Mapping[str, Predictions]:
        """The first sentence, and those that are nearest to the question by words, by TF-IDF, by the untuned base."""
        import numpy as np

        from luthier.evaluation.answer_baselines import answer_baselines

        nothing = [np.empty(0, dtype=np.float32)] * len(given.test)
        return {name: Predictions(answers, nothing) for name, answers in answer_baselines(given).items()}


def _windows(rows: "pa.Table", tokenizer: Any, max_length: int) -> tuple[Windows, int]:
    """The windows of the texts, and how many questions were cut to a third of a window.

    Raises:
        ModelError: a window is too short for a question and a part of its text.
    """
    longest = max_length // 3
    room = max_length - longest - tokenizer.num_special_tokens_to_add(pair=True)
    if room < LEAST_ROOM:
        raise ModelError(
            "too short for a question and a part of its text",
            where="training.max_length",
            received=max_length,
            remedy=f"{max_length + 2 * (LEAST_ROOM - room)} or more",
        )
    questions = rows["pair"].to_pylist()
    tokens = tokenizer(questions, add_special_tokens=False, return_offsets_mapping=True)
    asked = [
        question if len(places) <= longest else question[: places[longest - 1][1]]
        for question, places in zip(questions, tokens["offset_mapping"], strict=True)
    ]
    cut = sum(question != whole for question, whole in zip(asked, questions, strict=True))
    return windows(tokenizer, rows["text"].to_pylist(), asked, max_length=max_length, overlap=room // 3), cut


def _by_row(found: Windows, rows: int) -> list[list[int]]:
    chosen: list[list[int]] = [[] for _ in range(rows)]
    for window, row in enumerate(found.rows):
        chosen[row].append(window)
    return chosen


def _targets(found: Windows, chosen: Sequence[int], spans: Sequence[Span]) -> tuple[float, list[list[int]]]:
    """The most of an answer that a window has (1 is all of it), and the labels of each window.

    Windows that have that much of an answer learn it, the others that there is none.
    """
    places = [[_place(found.offsets[window], span) for span in spans] for window in chosen]
    most = max((share for shown in places for share, _ in shown), default=1.0)
    labels = []
    for window, shown in zip(chosen, places, strict=True):
        tokens = next((tokens for share, tokens in shown if share == most), None)
        labels.append([0, 0] if tokens is None else [found.firsts[window] + token for token in tokens])
    return most, labels


def _place(offsets: Sequence[Place], span: Span) -> tuple[float, tuple[int, int]]:
    """The share of a span's characters that lies in a window, and the first and the last token that it touches."""
    first = bisect_right([end for _, end in offsets], span["start"])
    last = bisect_left([start for start, _ in offsets], span["end"]) - 1
    if first > last:
        return 0.0, (0, 0)
    shown = min(span["end"], offsets[-1][1]) - max(span["start"], offsets[0][0])
    return shown / (span["end"] - span["start"]), (first, last)


def _passage(found: Windows, window: int, texts: Sequence[str]) -> Passage:
    """A window with no more of its text than it shows."""
    offsets = found.offsets[window] or [(0, 0)]
    start = offsets[0][0]
    text = texts[found.rows[window]][start : offsets[-1][1]]
    return Passage(text, found.firsts[window], [(first - start, last - start) for first, last in found.offsets[window]])


def _texts(text: str, spans: Sequence[Span]) -> list[str]:
    return [text[span["start"] : span["end"]] for span in spans]
