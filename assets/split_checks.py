"""What must hold of cleaned_splits before anything trains on them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.materialization import table
from luthier.data.splitting import SPLITS

if TYPE_CHECKING:
    from luthier.data_report.report import DataReport

CHECKS = [
    dg.AssetCheckSpec(
        "no_leakage",
        asset="cleaned_splits",
        blocking=True,
        description="No text, exact, normalised or nearly the same, no group and no answer is in two splits.",
    ),
    dg.AssetCheckSpec("splits_not_empty", asset="cleaned_splits", blocking=True, description="Every split has rows."),
    dg.AssetCheckSpec(
        "labels_complete",
        asset="cleaned_splits",
        blocking=True,
        description="Every split has every label, no row lacks one.",
    ),
    dg.AssetCheckSpec(
        "rejections_within_limit",
        asset="cleaned_splits",
        blocking=True,
        description="The share of bad rows is at most data.cleaning.max_rejected.",
    ),
]

# Reasons for rejected rows that a failed check names.
MOST_REASONS = 3


def check_results(report: "DataReport", splits: Path, max_rejected: float) -> list[dg.AssetCheckResult]:
    """The results of all of ``CHECKS``; ``splits`` is the folder that the report is of."""
    return [
        leakage_result(report),
        splits_result(report.rows),
        labels_result(splits),
        rejections_result(report, max_rejected),
    ]


def leakage_result(report: "DataReport") -> dg.AssetCheckResult:
    """Fails with counts and examples when anything of a row is in two splits."""
    from luthier.data_report.wording import leaks_by_kind, verdict_sentence

    counts = leaks_by_kind(report)
    metadata: dict[str, Any] = {"leaks": sum(sum(pairs.values()) for pairs in counts.values())}
    if counts:
        metadata["by kind"] = dg.MetadataValue.json(counts)
        metadata["examples"] = table(report.leaks["examples"])
    return dg.AssetCheckResult(
        check_name="no_leakage", passed=not counts, description=verdict_sentence(report), metadata=metadata
    )


def splits_result(rows: dict[str, int]) -> dg.AssetCheckResult:
    """Fails when a split has no rows."""
    counts = {split: rows[split] for split in SPLITS}
    empty = [split for split, count in counts.items() if not count]
    said = f"no rows in {', '.join(empty)} (remedy: more rows, or larger shares in data.split)" if empty else None
    return dg.AssetCheckResult(check_name="splits_not_empty", passed=not empty, description=said, metadata=counts)


def labels_result(splits: Path) -> dg.AssetCheckResult:
    """Fails when a split lacks a label, or a row has none."""
    from luthier.data.leakage import labels_complete

    problems = labels_complete(splits)
    remedy = "more rows of it, another data.split, or a data.labels without it"
    return dg.AssetCheckResult(
        check_name="labels_complete",
        passed=not problems,
        description=f"{'; '.join(problems)} (remedy: {remedy})" if problems else None,
        metadata={"problems": dg.MetadataValue.json(problems)},
    )


def rejections_result(report: "DataReport", most: float) -> dg.AssetCheckResult:
    """Fails when more rows were bad than the recipe allows; duplicates are not bad."""
    share, reasons = report.facts["bad_share"], reason_table(report)
    listed = ", ".join(f"{each['reason']} ({each['rows']:,})" for each in reasons[:MOST_REASONS])
    said = (
        f"{share:.1%} of the rows are bad, and {most:.1%} may be; left out most often: {listed} "
        "(remedy: look at rejected.parquet, mend the rows, or raise data.cleaning.max_rejected)"
    )
    return dg.AssetCheckResult(
        check_name="rejections_within_limit",
        passed=share <= most,
        description=said if share > most else None,
        metadata={"share": share, "allowed": most, "by reason": table(reasons)},
    )


def reason_table(report: "DataReport") -> list[dict[str, Any]]:
    """The most frequent reasons first."""
    from luthier.data_report.wording import most_first

    reasons = most_first(report.facts["rejected_by_reason"])
    return [{"reason": reason, "rows": rows} for reason, rows in reasons] or [{"reason": "none", "rows": 0}]
