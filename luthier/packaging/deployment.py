"""From a trained adapter to a package that is proved to answer the same."""

import json
import logging
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.evaluation.report import read_report
from luthier.methods import Method
from luthier.models.loading import load_tokenizer
from luthier.packaging.input_cleaning import InputCleaning
from luthier.packaging.merging import load_reference, write_servable
from luthier.packaging.model_card import model_card
from luthier.packaging.parity import TOLERANCE, Parity, require_parity
from luthier.packaging.serving import ServedModel, Serving
from luthier.recipe.resolving import ResolvedRecipe
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import Inference, Predictions

log = logging.getLogger(__name__)

PARITY_ROWS: Final = 256
# Text is generated for fewer, and for each alone: padding changes the order of sums. Likelihoods of tokens pass through
# every layer and a large vocabulary, which adds up.
GENERATED_ROWS: Final = 8
GENERATED_TOLERANCE: Final = 1e-3

SavePackage = Callable[[Path, Path, Serving, pa.Table], None]
Predict = Callable[[pa.Table, Inference], Predictions]
LoadPackage = Callable[[Path], Predict]


@dataclass(frozen=True)
class Deployment:
    """What is packaged: the folders of the artifacts it comes from, and how it is asked."""

    recipe: ResolvedRecipe
    task: str
    method: Method
    head: Head
    max_length: int
    max_new_tokens: int
    splits: Path
    base: Path
    model: Path
    tuned: Path
    report: Path
    cleaning: InputCleaning

    @property
    def serving(self) -> Serving:
        return Serving(
            task=self.task,
            head=self.head,
            max_length=self.max_length,
            max_new_tokens=self.max_new_tokens,
            method=None if self.method.merges else self.method,
            calibration=read_report(self.report).calibration,
            cleaning=self.cleaning,
        )


def write_deployment(job: Deployment, folder: Path, *, save: SavePackage, load: LoadPackage) -> None:
    """Merges, saves the package with ``save``, loads it back with ``load``, and requires parity at each step.

    ``save(model, package, serving, rows)`` writes the package from the folder of a plain model and rows of a split;
    ``load(package)`` gives a function from such rows to predictions.

    Raises:
        ParityError: the merged or the packaged model answers otherwise than the tuned one did, on validation rows.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        parities = _package(job, Path(scratch) / "model", folder / "package", save=save, load=load)
    _finish(job, folder, parities)


def _package(job: Deployment, plain: Path, package: Path, *, save: SavePackage, load: LoadPackage) -> list[Parity]:
    generates = job.head.is_language_model
    rows = pq.read_table(job.splits / "validation.parquet")[: GENERATED_ROWS if generates else PARITY_ROWS]
    serving = replace(job.serving, batch_size=1) if generates else job.serving
    how = serving.inference(generated_rows=len(rows))
    tuned = load_reference(job.method, job.model, job.tuned, job.head)
    found = TASKS[serving.task].predict(tuned, load_tokenizer(job.model), rows, job.head, how)
    expected = serving.calibration.applied(found, job.head)
    del tuned

    def compared(form: str, predict: Predict) -> Parity:
        tolerance = GENERATED_TOLERANCE if generates else TOLERANCE
        received = predict(rows, how)
        return require_parity(form, job.head, expected, received, tolerance=tolerance, calibration=serving.calibration)

    write_servable(job.method, job.model, job.tuned, job.head, plain)
    parity = compared("merged" if job.method.merges else "adapted", ServedModel(plain, serving).predict)
    save(plain, package, job.serving, rows)
    return [parity, compared("packaged", load(package))]


def _finish(job: Deployment, folder: Path, parities: list[Parity]) -> None:
    card = model_card(
        read_report(job.report),
        model=job.recipe.model_name,
        recipe=job.recipe.recipe.model_dump(mode="json"),
        base=json.loads((job.base / "facts.json").read_text())["provenance"],
    )
    (folder / "README.md").write_text(card)
    facts = {
        "model": job.recipe.model_name,
        "merged": job.method.merges,
        "bytes": sum(path.stat().st_size for path in (folder / "package").rglob("*") if path.is_file()),
        "parity": [asdict(parity) for parity in parities],
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))
    for parity in parities:
        log.info("%s: %d of %d predictions agree", parity.form, parity.agreeing, parity.rows)
