"""A training's history: the entries of its log, by step."""

from collections.abc import Mapping, Sequence

History = Sequence[Mapping[str, float]]


def losses(history: History) -> list[float]:
    """The loss of each logged step."""
    return [entry["loss"] for entry in history if "loss" in entry]
