"""What a generated text has to beat that learns nothing: the training answer of the nearest text, or the usual one."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from luthier.evaluation.baselines import MOST_TERMS, TOKEN

# Of more training texts a random sample is looked through.
MOST_TEXTS = 50_000
AT_ONCE = 256


def nearest(texts: Sequence[str], among: Sequence[str]) -> list[int]:
    """For each text the place of the one ``among`` others that is nearest by the cosine of their TF-IDF of words."""
    if not texts:
        return []
    places = np.arange(len(among))
    if len(among) > MOST_TEXTS:
        places = np.sort(np.random.default_rng(17).choice(len(among), MOST_TEXTS, replace=False))
    vectorizer = TfidfVectorizer(sublinear_tf=True, token_pattern=TOKEN, max_features=MOST_TERMS)
    known = vectorizer.fit_transform(among[place] for place in places.tolist()).T.tocsc()
    asked = vectorizer.transform(texts)
    found = [
        (asked[start : start + AT_ONCE] @ known).toarray().argmax(axis=1) for start in range(0, len(texts), AT_ONCE)
    ]
    return places[np.concatenate(found)].tolist()


def retrieved(texts: Sequence[str], train_texts: Sequence[str], train_answers: Sequence[str | None]) -> list[str]:
    """The answer of the nearest training text that has one."""
    known = [row for row, answer in enumerate(train_answers) if answer]
    found = nearest(texts, [train_texts[row] for row in known])
    return [str(train_answers[known[place]]) for place in found]


def most_frequent(answers: Sequence[str | None]) -> str:
    """Of equally frequent ones the first."""
    ((answer, _),) = Counter(answer for answer in answers if answer).most_common(1)
    return answer


def token_frequencies(ids: Sequence[int], vocabulary: int) -> np.ndarray:
    """The negative log-likelihood of every token of a vocabulary by how often it was seen, once more each."""
    seen = np.bincount(np.asarray(ids, dtype=np.int64), minlength=vocabulary) + 1.0
    return -np.log(seen / seen.sum()).astype(np.float32)
