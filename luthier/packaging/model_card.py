"""The model card: Markdown with the YAML front matter that Hugging Face defines for model cards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import yaml

from luthier.evaluation.markdown_text import escaped
from luthier.evaluation.report import EvaluationReport
from luthier.evaluation.wording import (
    beside_texts,
    metric_name,
    reads_sentence,
    remark_sentences,
    scope_sentences,
    score_texts,
    verdict_sentence,
)
from luthier.recipe.resolving import flatten

LICENSES = {
    "mit": "mit",
    "mit license": "mit",
    "apache-2.0": "apache-2.0",
    "apache 2.0": "apache-2.0",
    "apache license 2.0": "apache-2.0",
    "bsd-3-clause": "bsd-3-clause",
    "cc-by-4.0": "cc-by-4.0",
    "cc-by-sa-4.0": "cc-by-sa-4.0",
    "gpl-3.0": "gpl-3.0",
}
METHODS = {
    "full": "full fine-tuning",
    "lora": "LoRA",
    "qlora": "QLoRA (LoRA on a 4-bit base)",
    "bottleneck": "bottleneck adapters",
    "prefix": "prefix tuning",
    "prompt": "prompt tuning",
    "bitfit": "BitFit (biases alone)",
    "ia3": "IA3",
    "ptuning": "P-tuning",
}
# As Hugging Face's evaluate names them, where that is otherwise.
METRIC_TYPES = {
    "f1_macro": "f1",
    "f1_micro": "f1",
    "mcc": "matthews_correlation",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "seqeval_f1": "f1",
    "seqeval_precision": "precision",
    "seqeval_recall": "recall",
    "squad_f1": "f1",
    "rouge_1": "rouge",
    "rouge_2": "rouge",
    "rouge_l": "rouge",
}
LIMITS = {
    "token-classification": "Only entities of the kinds above are found. "
    "Texts are read in overlapping windows of {length} tokens.",
    "question-answering": "An answer is always a stretch of the given text, which may be the wrong one. "
    "Texts are read in overlapping windows of {length} tokens.",
    "text-generation": "What it writes may be false, however certain it sounds. "
    "Prompt and answer together are cut after {length} tokens.",
    "summarization": "A summary may say what the text does not. Texts are cut after {length} tokens.",
}
# What MLflow's database keeps of the description of a version.
DESCRIPTION = 5000
CUT = "\n\nThe whole card is README.md among this version's files."


def model_card(
    report: EvaluationReport,
    *,
    model: str,
    recipe: Mapping[str, Any],
    base: Mapping[str, str],
    language: str | None = None,
) -> str:
    """The card of ``model``; every text from a recipe, a base or the data is escaped.

    ``recipe`` is the resolved recipe as a mapping, ``base`` the base's provenance (``license`` if it states one),
    ``language`` an ISO 639-1 code if someone knows it.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: escaped(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    body = environment.get_template("model_card.md.j2").render(
        report=report,
        model=model,
        recipe=recipe,
        base=base,
        base_source=_base_source(recipe),
        data_source=_data_source(recipe),
        language=language,
        method=METHODS.get(recipe["method"]["kind"], recipe["method"]["kind"]),
        settings=dict(flatten({name: recipe[name] for name in ("method", "training")})),
        verdict=verdict_sentence(report),
        remarks=remark_sentences(report),
        reads=reads_sentence(report),
        scope=scope_sentences(report),
        limit=_limit(report, recipe["training"]["max_length"]),
        metric_name=metric_name,
        score_texts=score_texts,
        beside=beside_texts(report),
    )
    matter = yaml.safe_dump(_front_matter(report, model, recipe, base, language), sort_keys=False, allow_unicode=True)
    return f"---\n{matter}---\n\n{body}"


def card_summary(card: str) -> str:
    """The card without its front matter, as far as whole sections of it fit a registry's description."""
    body = card.partition("\n---\n")[2].strip()
    if len(body) <= DESCRIPTION:
        return body
    sections, room = body.split("\n## "), DESCRIPTION - len(CUT)
    while len(sections) > 1 and len("\n## ".join(sections)) > room:
        sections.pop()
    return "\n## ".join(sections)[:room].rstrip() + CUT


def _limit(report: EvaluationReport, length: int) -> str:
    if report.task in LIMITS:
        return LIMITS[report.task].format(length=length)
    if report.confusion:
        said = f"Every text gets one of the {len(report.labels)} labels, also one that fits none of them."
    elif report.labels:
        said = f"Labels other than the {len(report.labels)} above are never given."
    else:
        said = "Every text gets a number, also one that is like no training text."
    calibration = f" {_calibration(report)}" if report.labels else ""
    return f"{said}{calibration} Texts are cut after {length} tokens."


def _calibration(report: EvaluationReport) -> str:
    found = report.aspects.reliability
    if found is None:
        return "How well its probabilities are calibrated was not measured."
    error, certain = found.served.error, f"{report.confidence * 100:g} %"
    fitted = (
        f"Probabilities are calibrated by a temperature of {found.temperature:.3f}, fitted on {found.fitted_rows:,} "
        "validation rows"
        if found.fitted_rows
        else "Probabilities are not calibrated, for want of validation rows"
    )
    thresholds = " A label is given from a probability of its own." if report.calibration.thresholds else ""
    return (
        f"{fitted}: their expected calibration error on the test rows is {error.value:.3f} "
        f"({certain} interval {error.low:.3f} to {error.high:.3f}).{thresholds}"
    )


def _front_matter(
    report: EvaluationReport, model: str, recipe: Mapping[str, Any], base: Mapping[str, str], language: str | None
) -> dict[str, Any]:
    results = [
        {
            "type": METRIC_TYPES.get(name, name),
            "name": metric_name(name),
            "value": score.value,
            "args": {"low": score.low, "high": score.high, "confidence": report.corrected_confidence},
        }
        for name, score in report.metrics.items()
    ]
    data = {"name": _data_source(recipe), "type": _data_source(recipe), "split": "test"}
    return {
        **({"language": language} if language else {}),
        **_license(base.get("license")),
        "library_name": "transformers",
        "pipeline_tag": recipe["task"],
        "base_model": _base_source(recipe),
        "tags": ["luthier", recipe["method"]["kind"]],
        "metrics": [result["type"] for result in results],
        "model-index": [
            {"name": model, "results": [{"task": {"type": recipe["task"]}, "dataset": data, "metrics": results}]}
        ],
    }


def _base_source(recipe: Mapping[str, Any]) -> str:
    base = recipe["base_model"]
    return base.get("source") or f"champion of {base['adapter_of']}"


def _data_source(recipe: Mapping[str, Any]) -> str:
    """All addresses, as one text."""
    given = [recipe["data"].get(name) or [] for name in ("source", "train", "validation", "test")]
    return ", ".join(address for part in given for address in ([part] if isinstance(part, str) else part))


def _license(stated: str | None) -> dict[str, str]:
    if not stated:
        return {"license": "unknown"}
    known = LICENSES.get(stated.strip().lower())
    return {"license": known} if known else {"license": "other", "license_name": stated}
