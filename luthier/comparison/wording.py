"""What a comparison of methods says in words: one wording for the page, the Markdown and the terminal."""

import math
from typing import Any

from luthier.comparison.comparison import MethodComparison, MethodResult
from luthier.comparison.expectations import Finding, findings, reference_of
from luthier.evaluation.wording import interval, listed, metric_name, number, places

UNITS = ("bytes", "kB", "MB", "GB", "TB")
MINUTE = 60


def headline(comparison: MethodComparison) -> str:
    """``bottleneck scores best: accuracy 0.853 (95 % interval 0.835 to 0.870), 1.2 % of the parameters trained.``"""
    best, metric = comparison.best, comparison.metric
    return (
        f"{best.kind} scores best: {metric_name(metric)} {number(metric, best.score.value)} "
        f"({comparison.confidence * 100:g} % interval {interval(metric, best.score)}), "
        f"{percent(best.trainable_share)} of the parameters trained."
    )


def tie_sentence(comparison: MethodComparison) -> str | None:
    """Which methods these rows cannot tell from the best, and the least that one of them costs."""
    best, *others = comparison.ranked
    near = [found for found in others if found.score.low <= best.score.high and found.score.high >= best.score.low]
    if not others:
        return None
    if not near:
        return f"No other method's interval overlaps with that of {best.kind}."
    equal = [best, *near]
    fewest = min(equal, key=lambda found: found.trainable_parameters)
    least = min(equal, key=lambda found: found.peak_memory)
    names = listed([found.kind for found in near])
    overlap = f"The interval of {names} overlaps" if len(near) == 1 else f"The intervals of {names} overlap"
    also = "takes" if least is fewest else f"{least.kind} takes"
    return (
        f"{overlap} with it: the difference may be chance. Among these, {fewest.kind} trains the fewest parameters "
        f"({fewest.trainable_parameters:,}) and {also} the least memory ({in_bytes(least.peak_memory)})."
    )


def scope_sentence(comparison: MethodComparison) -> str:
    """What the scores are of, and what they cost the test split."""
    seeds = len(comparison.seeds)
    trainings = f"Means over {seeds} trainings of each method" if seeds > 1 else "One training of each method"
    rows, scored = comparison.rows["validation"], comparison.best.seeds[0].scored_rows
    on = f"the {rows:,}" if scored == rows else f"{scored:,} of the {rows:,}"
    return (
        f"{trainings}, on {on} validation rows that also picked their checkpoints, which flatters them. "
        "The test split was not read: choosing a method by this table costs it nothing."
    )


def interval_sentence(comparison: MethodComparison) -> str:
    """How intervals and spreads are meant."""
    return (
        f"An interval has the means of the seeds' own {comparison.confidence * 100:g} % bounds, which averaging would "
        "only narrow; the spread is that of the seeds, the least to the greatest."
    )


def expectation_sentences(comparison: MethodComparison) -> list[str]:
    """What the literature expects, method by method, and whether this comparison bears it out."""
    if found := findings(comparison):
        return [_expectation_sentence(finding) for finding in found]
    reference = reference_of(comparison)
    if reference is None:
        return ["Neither full nor lora was scored: there is nothing to hold the literature against."]
    if not math.isfinite(comparison.measured_by.high):
        return [f"The literature compares methods in points of a score, and {metric_name(comparison.metric)} has none."]
    if len(comparison.ranked) == 1:
        return [f"Only {reference.kind} was scored: there is nothing to hold it against."]
    return ["The literature that is known here says nothing of the other methods on such a model."]


def _expectation_sentence(finding: Finding) -> str:
    expected, points = finding.expectation, round(finding.points, 1)
    apart = f"{abs(points):.1f} points {'above' if points > 0 else 'below'}" if points else "level with"
    stands = f"{expected.kind} is {apart} {finding.reference}"
    if finding.as_expected:
        return f"{stands}: {expected.place}, as expected ({expected.source})."
    chance = "may be chance" if finding.may_be_chance else "is more than chance"
    return f"{stands}, where the literature has it {expected.place} ({expected.source}); the difference {chance}."


def score_cells(comparison: MethodComparison, found: MethodResult) -> tuple[str, str, str]:
    """The mean, its interval and the spread over the seeds."""
    digits = places(comparison.metric, found.score.value)
    spread = " to ".join(f"{value:,.{digits}f}" for value in found.spread)
    return number(comparison.metric, found.score.value), interval(comparison.metric, found.score), spread


def cost_cells(found: MethodResult) -> dict[str, str]:
    """What a method costs, by the heading of its column."""
    return {
        "trained": f"{found.trainable_parameters:,}",
        "share": percent(found.trainable_share),
        "peak memory": in_bytes(found.peak_memory),
        "rows/s": f"{found.rows_per_second:,.0f}",
        "training": duration(found.training_seconds),
        "1,000 rows": duration(found.inference_seconds),
        "file": in_bytes(found.file_bytes),
    }


def setting_columns(comparison: MethodComparison) -> list[str]:
    """The fields of ``training`` in which the methods differ, the learning rate first."""
    trainings = [found.training for found in comparison.ranked]
    differ = [name for name in trainings[0] if any(training[name] != trainings[0][name] for training in trainings)]
    return ["learning_rate", *(name for name in differ if name != "learning_rate")]


def method_settings(found: MethodResult) -> str:
    """The method's own settings, those that are empty or false left out."""
    return (
        ", ".join(_setting(name, value) for name, value in found.method.items() if name != "kind" and value) or "none"
    )


def _setting(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"{name} {{{', '.join(_setting(*item) for item in value.items())}}}"
    return name if value is True else f"{name} {shown(value)}"


def shown(value: object) -> str:
    """A setting as recipes have it."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """``100 %``, ``1.2 %``, ``0.034 %``: two digits of what is small."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def in_bytes(count: float) -> str:
    """``1.3 MB``: three digits and a decimal unit."""
    size = max(0, min(len(UNITS) - 1, int(math.log10(max(count, 1) * 1.0005)) // 3))
    return f"{count / 1000**size:.3g} {UNITS[size]}"


def duration(seconds: float) -> str:
    """``0.62 s``, ``48 s``, ``12.5 min``"""
    if seconds < 10:
        return f"{seconds:.2g} s"
    return f"{seconds:,.0f} s" if seconds < 2 * MINUTE else f"{seconds / MINUTE:,.1f} min"


def hardware_sentence(comparison: MethodComparison) -> str:
    """What the trainings ran on."""
    runs = [run for found in comparison.ranked for run in found.seeds]
    places_of = {(run.processor, run.compute["device"], run.compute["threads"]) for run in runs}
    return "; ".join(f"{name} ({device}, {threads} threads)" for name, device, threads in sorted(places_of))
