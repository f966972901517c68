"""What a tagger has to beat: linear models of words and their neighbours, and of the untuned base's hidden states."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from luthier.models.loading import encoder_of, load_encoder, load_tokenizer
from luthier.tasks.task import BaselineInputs
from luthier.tasks.windows import Place, outputs, windows
from luthier.tasks.word_tags import Word, tagged_words, tags_of, words

# Of the training words no more are learned from: a minute at most.
MOST_WORDS = 20_000
ITERATIONS = 200
EDGE = ""

Tagged = tuple[list[list[Place]], list[list[str]]]


def words_in_context(given: BaselineInputs) -> Tagged:
    """Where words stand, and their tags by a linear model of each word, its ending, its shape and its neighbours."""
    texts, spans = _training_rows(given)
    places = [words(text) for text in texts]
    inputs = [features for row in zip(texts, places, strict=True) for features in _features(*row)]
    tags = [tag for where, marked in zip(places, spans, strict=True) for tag in tags_of(where, marked)]
    model = _fitted(DictVectorizer(), inputs, tags)
    asked = given.test["text"].to_pylist()
    where = [words(text) for text in asked]
    found = [
        model.predict(_features(text, of_text)).tolist() if of_text else []
        for text, of_text in zip(asked, where, strict=True)
    ]
    return where, found


def probed_tags(given: BaselineInputs) -> Tagged:
    """The same by a linear model of the hidden state of each word's first token in the untuned base."""
    reader = _Reader(given)
    texts, spans = _training_rows(given)
    places, states = [], []
    tags: list[str] = []
    for row, (where, of_words) in enumerate(reader.read(texts)):
        places.append(where)
        states.append(of_words)
        tags += tags_of(where, spans[row])
    model = _fitted(StandardScaler(), np.concatenate(states), tags, strength=0.01)
    found: Tagged = ([], [])
    for where, of_words in reader.read(given.test["text"].to_pylist()):
        found[0].append(where)
        found[1].append(model.predict(of_words).tolist() if where else [])
    return found


class _Reader:
    """The untuned base, which reads texts."""

    def __init__(self, given: BaselineInputs) -> None:
        self._tokenizer = load_tokenizer(given.model)
        self._encoder = encoder_of(load_encoder(given.model, dtype=torch.float32, attention="eager").eval())
        self._how = given.how

    def read(self, texts: Sequence[str], at_once: int = 256) -> Iterator[tuple[list[Place], np.ndarray]]:
        """For each text where its words stand, and their hidden states (words x hidden size)."""
        for start in range(0, len(texts), at_once):
            yield from self._read(texts[start : start + at_once])

    def _read(self, texts: Sequence[str]) -> list[tuple[list[Place], np.ndarray]]:
        length = self._how.max_length
        found = windows(self._tokenizer, texts, max_length=length, overlap=length // 4)
        tagged = tagged_words(found, texts)
        parts: list[np.ndarray] = [np.empty((0, self._encoder.config.hidden_size), np.float32)] * len(tagged)
        for chosen, output in outputs(self._encoder, self._tokenizer, found, self._how.batch_size):
            for window, states in zip(chosen, output.last_hidden_state.float().cpu().numpy(), strict=True):
                parts[window] = states[[word.token for word in tagged[window]]]
        of_texts: list[tuple[list[Word], list[np.ndarray]]] = [([], []) for _ in texts]
        for row, chosen_words, part in zip(found.rows, tagged, parts, strict=True):
            of_texts[row][0].extend(chosen_words)
            of_texts[row][1].append(part)
        return [([(word.start, word.end) for word in chosen], np.concatenate(states)) for chosen, states in of_texts]


def _training_rows(given: BaselineInputs) -> tuple[list[str], list[Any]]:
    """Rows in a random order until their words suffice."""
    chosen, seen = [], 0
    texts = given.train["text"]
    for row in np.random.default_rng(17).permutation(len(texts)).tolist():
        if seen >= MOST_WORDS:
            break
        chosen.append(row)
        seen += len(words(texts[row].as_py()))
    taken = given.train.take(chosen)
    return taken["text"].to_pylist(), taken["label"].to_pylist()


def _features(text: str, places: Sequence[Place]) -> list[dict[str, str]]:
    shown = [text[start:end] for start, end in places]
    lower = [EDGE, *(word.lower() for word in shown), EDGE]
    return [
        {
            "word": lower[place + 1],
            "ending": lower[place + 1][-3:],
            "shape": _shape(word),
            "before": lower[place],
            "after": lower[place + 2],
        }
        for place, word in enumerate(shown)
    ]


def _shape(word: str) -> str:
    """``Xx`` of ``Anna``, ``X`` of ``NATO``, ``0`` of ``1889``"""
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word]
    return "".join(kind for place, kind in enumerate(kinds) if not place or kinds[place - 1] != kind)


class _Constant:
    """The one tag that all training words have."""

    def __init__(self, tag: str) -> None:
        self._tag = tag

    def predict(self, inputs: Any) -> np.ndarray:
        return np.full(len(inputs), self._tag)


def _fitted(inputs: Any, train: Any, tags: Sequence[str], *, strength: float = 4.0) -> Any:
    if len(set(tags)) < 2:
        return _Constant(tags[0])
    return make_pipeline(inputs, LogisticRegression(C=strength, max_iter=ITERATIONS)).fit(train, tags)
