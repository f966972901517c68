"""What a question answerer has to beat: sentences of the text, found by simple means."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from luthier.evaluation.baselines import TOKEN
from luthier.models.features import mean_pooled
from luthier.tasks.task import UNTUNED, BaselineInputs
from luthier.training.compute import fast_bfloat16

SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
WORD = re.compile(r"\w+")
# So many sentences the untuned base reads at most, of all texts and of one.
MOST_SENTENCES, OF_A_TEXT = 20_000, 50


def answer_baselines(given: BaselineInputs) -> Mapping[str, list[str]]:
    """Answers by baseline; that there is none is one where the training rows have questions without an answer."""
    texts, questions = given.test["text"].to_pylist(), given.test["pair"].to_pylist()
    of_texts = [sentences(text) for text in texts]
    found = {
        "first sentence": [of_text[0] for of_text in of_texts],
        "word overlap": [_overlapping(*row) for row in zip(of_texts, questions, strict=True)],
        "tf-idf": _by_tfidf(of_texts, questions, given.train["text"].to_pylist()),
        UNTUNED: _by_features(of_texts, questions, given),
    }
    if any(not answers for answers in given.train["label"].to_pylist()):
        found["no answer"] = [""] * len(texts)
    return found


def sentences(text: str) -> list[str]:
    """One at least; a line's end ends a sentence too."""
    return SENTENCE_END.split(text.strip())


def _overlapping(of_text: Sequence[str], question: str) -> str:
    """The longest of the sentences that share most words with the question."""
    asked = set(WORD.findall(question.lower()))
    return max(of_text, key=lambda one: (len(asked & set(WORD.findall(one.lower()))), len(one)))


def _by_tfidf(of_texts: Sequence[Sequence[str]], questions: Sequence[str], train_texts: Sequence[str]) -> list[str]:
    """The sentence nearest to the question by the cosine of TF-IDF, words as rare as the training texts have them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=TOKEN).fit(dict.fromkeys(train_texts))
    asked = vectorizer.transform(questions)
    return [
        of_text[int((vectorizer.transform(of_text) @ asked[row].T).toarray().argmax())]
        for row, of_text in enumerate(of_texts)
    ]


def _by_features(of_texts: Sequence[Sequence[str]], questions: Sequence[str], given: BaselineInputs) -> list[str]:
    """The sentence nearest to the question by the cosine of the untuned base's features, of the first of each text."""
    most = min(OF_A_TEXT, max(1, MOST_SENTENCES // max(1, len(of_texts))))
    shown = [[one for one in of_text[:most] if one] or [of_text[0]] for of_text in of_texts]
    asked = list(dict.fromkeys([*questions, *(one for of_text in shown for one in of_text)]))
    dtype = torch.bfloat16 if fast_bfloat16("cpu") else torch.float32
    features = mean_pooled(given.model, asked, dtype=dtype, max_length=given.how.max_length)
    features /= np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    place = {text: row for row, text in enumerate(asked)}
    return [
        of_text[int((features[[place[one] for one in of_text]] @ features[place[question]]).argmax())]
        for of_text, question in zip(shown, questions, strict=True)
    ]
