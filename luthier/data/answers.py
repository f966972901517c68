"""Answers that stand in prompts: who has read the prompt knows the answer."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

# An answer of fewer words stands in many texts by chance.
LEAST_WORDS = 5


def answers_in_prompts(prompts: Sequence[str], answers: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Indices of a prompt and of an answer of five words or more that it holds; all texts are normalised."""
    by_start: dict[str, list[int]] = defaultdict(list)
    for index, answer in enumerate(answers):
        words = answer.split()
        if len(words) >= LEAST_WORDS:
            by_start[" ".join(words[:LEAST_WORDS])].append(index)
    for number, prompt in enumerate(prompts if by_start else []):
        words = prompt.split()
        starts = {" ".join(words[place : place + LEAST_WORDS]) for place in range(len(words) - LEAST_WORDS + 1)}
        candidates = {index for start in starts for index in by_start.get(start, ())}
        yield from ((number, index) for index in sorted(candidates) if f" {answers[index]} " in f" {prompt} ")
