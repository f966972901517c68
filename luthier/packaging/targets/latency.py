"""How long forms of one model take for the same inputs."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

RUNS: Final = 7


@dataclass(frozen=True)
class Latency:
    """The median over runs of the mean time of an input, in milliseconds, and how many times faster than the first."""

    milliseconds: float
    speedup: float


def latencies(
    forms: Mapping[str, Callable[[Any], object]], inputs: Sequence[Any], *, runs: int = RUNS
) -> dict[str, Latency]:
    """Each form by its name. Forms take turns, so that whatever else the machine does is spread over all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for each in forms.values():
        # The first call of a form prepares it.
        for given in inputs:
            each(given)
    for _ in range(runs):
        for name, each in forms.items():
            began = time.perf_counter()
            for given in inputs:
                each(given)
            seconds[name].append((time.perf_counter() - began) / len(inputs))
    middle = {name: median(taken) for name, taken in seconds.items()}
    first = next(iter(middle.values()))
    return {name: Latency(round(value * 1e3, 3), round(first / value, 2)) for name, value in middle.items()}
