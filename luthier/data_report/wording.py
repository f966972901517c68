"""What a data report says in words: one wording for the page and the terminal."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from luthier.data.leakage import SHARED_CONTEXTS
from luthier.data.splitting import SPLITS

if TYPE_CHECKING:
    from luthier.data_report.report import DataReport

# Their tasks read long texts in overlapping windows.
WINDOWED = ("spans", "tags", "answers")
DIVISIONS = {
    "stratified": "by chance, with every label's share kept",
    "random": "by chance alone",
    "group": "by group, none of which is in two splits",
    "time": "by time, with the newest rows as the test",
    "hash": "by a hash of the text",
    "given": "as the source gives them",
}


def share(part: float, whole: float) -> str:
    """``1.7 %``, with more digits below 0.1 %; a share reads as 0 or 100 only when it is."""
    percent = 100 * part / whole if whole else 0.0
    if percent < 100:
        percent = min(percent, 99.9)
    if percent and percent < 0.001:
        return "<0.001 %"
    return f"{percent:.1f} %" if percent >= 0.1 or not percent else f"{percent:.1g} %"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    """The names with their counts, the greatest first."""
    return sorted(counts.items(), key=lambda item: -item[1])


def leaks_by_kind(report: "DataReport") -> dict[str, dict[str, int]]:
    """Kind -> pair of splits -> leaks, of those that there are."""
    found = {kind: {pair: n for pair, n in pairs.items() if n} for kind, pairs in report.leaks["counts"].items()}
    return {kind: pairs for kind, pairs in found.items() if pairs}


def verdict_sentence(report: "DataReport") -> str:
    """``No leak found between 10,486 rows in three splits.`` or the leaks by kind."""
    found = {kind: sum(pairs.values()) for kind, pairs in leaks_by_kind(report).items()}
    between = f"between {counted(sum(report.rows[split] for split in SPLITS), 'row')} in three splits"
    if not found:
        return f"No leak found {between}."
    kinds = _listed(f"{number:,} {kind}" for kind, number in most_first(found))
    return f"{counted(sum(found.values()), 'leak')} found {between}: {kinds}."


def rows_sentence(report: "DataReport") -> str:
    """What became of the rows that were read."""
    rows = report.rows
    used = sum(rows[split] for split in SPLITS)
    parts = [
        f"{counted(rows['raw'], 'row')} read: {used:,} used",
        f"{rows['duplicates']:,} left out because another row says the same",
        f"{rows['rejected']:,} rejected as bad ({share(rows['rejected'], rows['raw'])})",
    ]
    if rows["not_sampled"]:
        parts.append(f"{rows['not_sampled']:,} not sampled")
    if rows["augmented"]:
        parts.append(f"and {rows['augmented']:,} made for training")
    return f"{_listed(parts)}."


def truncation_sentence(report: "DataReport") -> str:
    """How many texts are longer than max_length, and the tokens that go where such texts are cut."""
    lengths = report.lengths.values()
    rows, tokens, over, lost = (
        sum(getattr(split, name) for split in lengths) for name in ("rows", "tokens", "over", "lost")
    )
    limit, windowed = f"longer than max_length {report.max_length:,}", report.facts["label_kind"] in WINDOWED
    estimated = any(split.estimated_from for split in lengths)
    if not over:
        return f"No text {'that was measured ' if estimated else ''}is {limit}: truncation loses nothing."
    about = "about " if estimated else ""
    texts = f"{about.capitalize()}{over:,} of {counted(rows, 'text')} ({share(over, rows)})"
    cut = f"truncation loses {about}{lost:,} of {counted(tokens, 'token')} ({share(lost, tokens)})"
    result = "read in overlapping windows, which lose nothing" if windowed else cut
    return f"{texts} {'is' if over == 1 else 'are'} {limit}: {result}."


def estimate_sentence(report: "DataReport") -> str | None:
    """Which splits' lengths are estimates, if any are."""
    parts = [
        f"{name} from {lengths.estimated_from:,} of {lengths.rows:,} rows"
        for name, lengths in report.lengths.items()
        if lengths.estimated_from
    ]
    return f"Estimated for {_listed(parts)}, evenly spaced." if parts else None


def nearest_sentence(report: "DataReport") -> str:
    """How near the nearest texts of two splits are."""
    nearest = report.leaks["nearest"]
    if nearest is None:
        return "No two texts of different splits came near each other."
    return f"The nearest texts of two splits have a similarity of {nearest['similarity']:.3f}."


def division_sentence(report: "DataReport") -> str:
    """What decided a row's split, labels that a split has no row of, and contexts that several splits have."""
    how = report.facts["split_by"]
    balance = report.facts["balance"].items()
    absent = {split: sum(not rows for rows in counts.values()) for split, counts in balance}
    missing = [f" The {split} split has no row of {counted(n, 'label')}." for split, n in absent.items() if n]
    shared = report.leaks["compared"].get(SHARED_CONTEXTS)
    if shared:
        missing.append(f" {SHARED_CONTEXTS.capitalize()}, with different questions: {shared:,}.")
    return f"Divided {DIVISIONS.get(how, f'by {how}')}.{''.join(missing)}"


def pii_sentence(facts: dict[str, Any]) -> str:
    """What was found of personal data, by kind."""
    return _listed(f"{number:,} {kind}" for kind, number in most_first(facts["pii"])) or "none counted"


def augmentation_sentence(facts: dict[str, Any]) -> str:
    """The new training rows by kind, or why there are none."""
    new, why = facts["augmentation"]["new_rows"], facts["augmentation"]["why"]
    kinds = _listed(f"{number:,} {kind}" for kind, number in most_first(facts["augmentation"]["by_kind"]))
    made = f"{counted(new, 'new training row')}: {kinds}" if new else ""
    return "; ".join(part for part in (made, why) if part) or "none"


def weights_sentence(facts: dict[str, Any]) -> str:
    """The range of the class weights, if the loss has any."""
    weights = facts["class_weights"]
    if not weights:
        return "none"
    low, high = min(weights, key=weights.__getitem__), max(weights, key=weights.__getitem__)
    return f"from {weights[low]:.3g} for {low} to {weights[high]:.3g} for {high}"


def _listed(parts: Iterable[str]) -> str:
    return ", ".join(parts)
