"""From a trained adapter to a package that is proved to answer the same."""

import json
import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from luthier.evaluation.report import read_report
from luthier.methods import Method
from luthier.models.loading import load_classifier, load_tokenizer
from luthier.packaging.merging import load_reference, write_merged
from luthier.packaging.model_card import model_card
from luthier.packaging.parity import Parity, require_parity
from luthier.recipe.resolving import ResolvedRecipe
from luthier.tasks import TASKS

log = logging.getLogger(__name__)

PARITY_ROWS = 256

SavePackage = Callable[[Path, Path, Sequence[str], int], None]
LoadPackage = Callable[[Path], Callable[[Sequence[str]], np.ndarray]]


@dataclass(frozen=True)
class Deployment:
    """What is packaged: the folders of the artifacts it comes from."""

    recipe: ResolvedRecipe
    method: Method
    max_length: int
    splits: Path
    base: Path
    model: Path
    tuned: Path
    report: Path


def write_deployment(job: Deployment, folder: Path, *, save: SavePackage, load: LoadPackage) -> None:
    """Merges, saves the package with ``save``, loads it back with ``load``, and requires parity at each step.

    ``save(merged, package, example texts, max_length)`` writes the package; ``load(package)`` gives a function from
    texts to probabilities (rows x classes).

    Raises:
        ParityError: the merged or the packaged model answers otherwise than the adapter did, on validation rows.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        parities = _package(job, Path(scratch) / "merged", folder / "package", save=save, load=load)
    _finish(job, folder, parities)


def _package(job: Deployment, merged: Path, package: Path, *, save: SavePackage, load: LoadPackage) -> list[Parity]:
    report = read_report(job.report)
    texts = pq.read_table(job.splits / "validation.parquet")["text"].to_pylist()[:PARITY_ROWS]
    task = TASKS[job.recipe.recipe.task]
    tokenizer = load_tokenizer(job.model)
    reference = load_reference(job.method, job.model, job.tuned, report.labels)
    expected = task.probabilities(reference, tokenizer, texts, max_length=job.max_length)
    del reference
    write_merged(job.method, job.model, job.tuned, report.labels, merged)
    plain = load_classifier(merged, report.labels, dtype=torch.float32, attention="eager")
    found = task.probabilities(plain, load_tokenizer(merged), texts, max_length=job.max_length)
    parities = [require_parity("merged", expected, found)]
    del plain
    save(merged, package, texts[:2], job.max_length)
    parities.append(require_parity("packaged", expected, load(package)(texts)))
    return parities


def _finish(job: Deployment, folder: Path, parities: list[Parity]) -> None:
    report = read_report(job.report)
    card = model_card(
        report,
        model=job.recipe.model_name,
        recipe=job.recipe.recipe.model_dump(mode="json"),
        base=json.loads((job.base / "facts.json").read_text())["provenance"],
    )
    (folder / "README.md").write_text(card)
    size = sum(path.stat().st_size for path in (folder / "package").rglob("*") if path.is_file())
    facts = {"bytes": size, "parity": [asdict(parity) for parity in parities], "model": job.recipe.model_name}
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))
    for parity in parities:
        log.info("%s: %d of %d predictions agree", parity.form, parity.agreeing, parity.rows)
