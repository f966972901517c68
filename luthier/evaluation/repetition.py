"""How much texts repeat: themselves, and one another."""

from collections.abc import Sequence

import numpy as np

from luthier.evaluation.wordwise import ngrams

LENGTH = 4


def repeated_share(tokens: Sequence[str], length: int = LENGTH) -> float | None:
    """The share of n-grams that the text has had before; None of a text that is too short to have any.

    seq-rep-n of Welleck et al. (2020), "Neural text generation with unlikelihood training", arXiv 1908.04319.
    """
    found = ngrams(tokens, length)
    return 1 - len(set(found)) / len(found) if found else None


def distinct(texts: Sequence[Sequence[str]], length: int) -> float | None:
    """Different n-grams of all texts together by all of theirs; None where there are none.

    Li et al. (2016), "A diversity-promoting objective function for neural conversation models", arXiv 1510.03055.
    More or longer texts have less: only such of the same rows compare.
    """
    found = [one for tokens in texts for one in ngrams(tokens, length)]
    return len(set(found)) / len(found) if found else None


def length_quantiles(lengths: Sequence[int]) -> tuple[float, float, float, float, float]:
    """The 5th, 25th, 50th, 75th and 95th percentile."""
    low, quarter, half, most, high = (float(value) for value in np.quantile(lengths, (0.05, 0.25, 0.5, 0.75, 0.95)))
    return low, quarter, half, most, high
