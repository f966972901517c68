"""The model card, in the form of the Hugging Face Hub (Mitchell et al. 2019, arXiv 1810.03993)."""

from typing import Any

import yaml

from luthier.evaluation.report import EvaluationReport
from luthier.recipe.resolving import ResolvedRecipe


def model_card(report: EvaluationReport, resolved: ResolvedRecipe, base: dict[str, Any]) -> str:
    """Markdown with YAML front matter, from what was measured and nothing else. ``base``: the base model's facts."""
    recipe = resolved.recipe
    license_name = base["provenance"].get("license", "not stated by the base model")
    front = {
        "library_name": "transformers",
        "pipeline_tag": recipe.task,
        "base_model": recipe.base_model.source,
        "license": license_name,
        "tags": ["luthier", recipe.method.kind],
    }
    scores = "\n".join(
        f"| {_plain(name)} | {found.value:.4f} | {found.low:.4f} to {found.high:.4f} |"
        for name, found in [
            *((f"**{name}**", score) for name, score in report.metrics.items()),
            *((f"{report.metric} of {name}", score) for name, score in report.baselines.items()),
        ]
    )
    rows = report.rows
    return f"""---
{yaml.safe_dump(front, sort_keys=False).strip()}
---

# {resolved.model_name}

{report.sentence}

| metric on {rows["test"]} test rows | value | {report.confidence:.0%} interval |
|---|---|---|
{scores}

## Model
{_plain(base["architecture"])} ({base["parameters"]:,} parameters) from `{recipe.base_model.source}`, fine-tuned with
{recipe.method.kind}: {report.trainable_parameters:,} trained parameters. Stored in float32 as one plain model.

## Data
`{recipe.data.source}`: {rows["train"]} rows to train on, {rows["validation"]} for validation, {rows["test"]} for the
test, {rows["rejected"]} rejected. Labels: {", ".join(map(_plain, report.labels))} (`{recipe.data.columns.label}`).

## Limits
The scores hold for rows like the test rows of this one source; other domains and languages were not measured.
Texts are cut after {recipe.training.max_length} tokens. License of the base model: {_plain(license_name)}; that of the
data is its publisher's.
"""


def _plain(text: str) -> str:
    """Text from data in a table cell or sentence: nothing in it is markup."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
