"""Token classification: a text, and the spans of it that have a label.

A row: ``{"text": "Ann met Bob.", "label": [{"start": 0, "end": 3, "label": "per"}, ...]}``, in characters.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.tasks.batches import padded
from luthier.tasks.head import Head
from luthier.tasks.task import IGNORED, UNTUNED, BaselineInputs, Collator, Encoded, Inference, Predictions, Task
from luthier.tasks.windows import Place, Windows, outputs, windows
from luthier.tasks.word_tags import OUTSIDE, Word, entities, tagged_words, tags_of, words

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    import torch

METRICS = ("seqeval_f1", "seqeval_precision", "seqeval_recall")


class TokenClassification(Task):
    """IOB2 tags, one a word, on the word's first token (Ramshaw and Marcus 1995, cmp-lg/9505040)."""

    name: ClassVar[str] = "token-classification"
    label_kinds: ClassVar[tuple[str, ...]] = ("spans", "tags")

    def metrics(self, label_kind: str) -> tuple[str, ...]:
        return METRICS

    def head(self, labels: Sequence[str], label_kind: str, *, encoder_decoder: bool) -> Head:
        tags = (f"{prefix}-{label}" for label in labels for prefix in "BI")
        return Head("token-classification", (OUTSIDE, *tags))

    def encode(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> Encoded:
        """Long texts give several features. Counts the spans that no tags of words can say, too: ``misaligned``."""
        texts, spans = rows["text"].to_pylist(), rows["label"].to_pylist()
        found = _windows(tokenizer, texts, max_length)
        tagged = tagged_words(found, texts)
        places = _places(found, tagged, len(texts))
        tags = [tags_of(where, marked) for where, marked in zip(places, spans, strict=True)]
        columns: dict[str, list[Any]] = {
            **found.inputs,
            "labels": _labels(found, tagged, tags, head),
            "row": found.rows,
            "window": list(range(len(tagged))),
        }
        learnable = [window for window, chosen in enumerate(tagged) if chosen]
        counts = {
            "windows": len(tagged),
            "misaligned": sum(map(_misaligned, spans, places, tags)),
            "unlearnable": sum(not where for where in places),
        }
        return Encoded({name: [values[window] for window in learnable] for name, values in columns.items()}, counts)

    def collator(self, tokenizer: Any, head: Head, config: Any) -> Collator:
        """``labels`` of shape (rows, tokens), -100 where there is none."""
        import torch

        def collate(features: list[dict[str, Any]]) -> dict[str, Any]:
            batch = padded(tokenizer, features)
            labels = torch.full(batch["input_ids"].shape, IGNORED)
            for row, feature in enumerate(features):
                labels[row, : len(feature["labels"])] = torch.tensor(feature["labels"])
            return batch | {"labels": labels}

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
        """Cross-entropy of the tags of all words."""
        import torch
        from torch.nn import functional

        weight = None if class_weights is None else torch.tensor(class_weights, device=logits.device)
        total = functional.cross_entropy(
            logits.float().flatten(0, 1),
            labels.flatten(),
            weight=weight,
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=label_smoothing,
        )
        return total / items

    def kept(self, logits: Any, labels: "torch.Tensor") -> "torch.Tensor":
        """The id of each token's tag (rows, tokens)."""
        return logits.argmax(dim=-1)

    def validation_metrics(
        self, kept: "np.ndarray", labels: "np.ndarray", features: Any, head: Head, *, required: str | None = None
    ) -> Mapping[str, float]:
        """Spans are counted in words."""
        from luthier.evaluation.scores import defined_points

        rows, order = features["row"][:], features["window"][:]
        tags: dict[int, list[list[int]]] = defaultdict(lambda: [[], []])
        for feature in sorted(range(len(order)), key=order.__getitem__):
            given = labels[feature] != IGNORED
            for side, ids in zip(tags[rows[feature]], (labels, kept), strict=True):
                side += ids[feature][given].tolist()
        gold, predicted = ([_counted(row[side], head) for row in tags.values()] for side in (0, 1))
        return defined_points(METRICS, lambda metric: (gold, predicted), required=required)

    def predict(
        self, model: "torch.nn.Module", tokenizer: Any, rows: "pa.Table", head: Head, how: Inference
    ) -> Predictions:
        """Evidence: the probabilities of the tags of each word (words x tags)."""
        import numpy as np

        texts = rows["text"].to_pylist()
        found = _windows(tokenizer, texts, how.max_length)
        tagged = tagged_words(found, texts)
        evidence: list[list[np.ndarray]] = [[] for _ in texts]
        parts: list[np.ndarray] = [np.empty(0)] * len(tagged)
        for chosen, output in outputs(model, tokenizer, found, how.batch_size):
            probabilities = output.logits.float().softmax(dim=-1).cpu().numpy()
            for window, of_tokens in zip(chosen, probabilities, strict=True):
                parts[window] = of_tokens[[word.token for word in tagged[window]]]
        for row, part in zip(found.rows, parts, strict=True):
            evidence[row].append(part)
        of_words = [np.concatenate(row) for row in evidence]
        tags = [[head.labels[index] for index in row.argmax(axis=1)] for row in of_words]
        return Predictions(_answers(texts, _places(found, tagged, len(texts)), tags), of_words)

    def compared(self, metric: str, rows: "pa.Table", predictions: Predictions, head: Head) -> tuple[Any, Any]:
        return rows["label"].to_pylist(), predictions.answers

    def baselines(self, given: BaselineInputs) -> Mapping[str, Predictions]:
        """Each word's most frequent tag in training, and none for others; linear models of words and of the base."""
        import numpy as np

        from luthier.evaluation.tag_baselines import probed_tags, words_in_context

        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for text, spans in zip(given.train["text"].to_pylist(), given.train["label"].to_pylist(), strict=True):
            places = words(text)
            for (start, end), tag in zip(places, tags_of(places, spans), strict=True):
                counts[text[start:end]][tag] += 1
        usual = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
        texts = given.test["text"].to_pylist()
        where = [words(text) for text in texts]
        tags = [
            [usual.get(text[start:end], OUTSIDE) for start, end in places]
            for text, places in zip(texts, where, strict=True)
        ]
        nothing = [np.empty(0, dtype=np.float32)] * len(texts)
        found = {
            "majority per word": (where, tags),
            "words in context": words_in_context(given),
            UNTUNED: probed_tags(given),
        }
        return {name: Predictions(_answers(texts, *tagged), nothing) for name, tagged in found.items()}


def _windows(tokenizer: Any, texts: Sequence[str], max_length: int) -> Windows:
    return windows(tokenizer, texts, max_length=max_length, overlap=max_length // 4)


def _places(found: Windows, tagged: Sequence[Sequence[Word]], rows: int) -> list[list[Place]]:
    """Where the words of each row stand."""
    places: list[list[Place]] = [[] for _ in range(rows)]
    for row, chosen in zip(found.rows, tagged, strict=True):
        places[row] += [(word.start, word.end) for word in chosen]
    return places


def _labels(
    found: Windows, tagged: Sequence[Sequence[Word]], tags: Sequence[Sequence[str]], head: Head
) -> list[list[int]]:
    """The id of each word's tag at its token, for each window."""
    ids = {tag: index for index, tag in enumerate(head.labels)}
    left = [iter(row) for row in tags]
    labels = [[IGNORED] * len(tokens) for tokens in found.inputs["input_ids"]]
    for given, row, chosen in zip(labels, found.rows, tagged, strict=True):
        for word in chosen:
            given[word.token] = ids[next(left[row])]
    return labels


def _misaligned(spans: Sequence[Mapping[str, Any]], places: Sequence[Place], tags: Sequence[str]) -> int:
    """How many spans their own tags do not give back."""
    return len({(span["start"], span["end"], span["label"]) for span in spans}.difference(entities(places, tags)))


def _counted(ids: Sequence[int], head: Head) -> list[tuple[int, int, str]]:
    """The spans that tag ids mark, in words."""
    return entities([(word, word + 1) for word in range(len(ids))], [head.labels[index] for index in ids])


def _answers(
    texts: Sequence[str], places: Sequence[Sequence[Place]], tags: Sequence[Sequence[str]]
) -> list[list[dict[str, Any]]]:
    return [
        [
            {"start": start, "end": end, "label": label, "text": text[start:end]}
            for start, end, label in entities(where, given)
        ]
        for text, where, given in zip(texts, places, tags, strict=True)
    ]
