"""From a trained adapter to a package, and to other targets, that are proved to answer the same."""

import json
import logging
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.input_cleaning import InputCleaning
from luthier.evaluation.report import EvaluationReport
from luthier.methods import Method
from luthier.models.loading import load_tokenizer
from luthier.packaging.answers import Ask, Asked, KeptAnswers, asked_rows, require_same_answers
from luthier.packaging.merging import load_reference, write_servable
from luthier.packaging.model_card import model_card
from luthier.packaging.parity import TOLERANCE, Parity, require_parity
from luthier.packaging.serving import ServedModel, Serving
from luthier.packaging.sharing import folder_bytes, share_files, stored_bytes
from luthier.packaging.targets import PACKAGE
from luthier.packaging.targets.target import ProvenModel, Target
from luthier.recipe.resolving import ResolvedRecipe
from luthier.tasks import TASKS
from luthier.tasks.calibration import UNCALIBRATED
from luthier.tasks.head import Head
from luthier.tasks.task import Inference, Predictions

log = logging.getLogger(__name__)

PARITY_ROWS: Final = 256
# Text is generated for fewer, and for each alone: padding changes the order of sums. Likelihoods of tokens pass through
# every layer and a large vocabulary, which adds up.
GENERATED_ROWS: Final = 8
GENERATED_TOLERANCE: Final = 1e-3
QUANTIZED: Final = "4-bit weights"
# In the folder of a deployment: what its package answered to a few rows. The card is in the package as well.
ANSWERS: Final = "answers.json"
CARD: Final = "README.md"

SavePackage = Callable[[Path, Path, Serving, pa.Table], None]
Predict = Callable[[pa.Table, Inference], Predictions]
LoadPackage = Callable[[Path], Predict]
ServePackage = Callable[[Path], AbstractContextManager[Ask]]


@dataclass(frozen=True)
class Deployment:
    """What is packaged: the folders of the artifacts it comes from, its report, and how it is asked.

    ``recipe`` has the method and the training that were used, which a study may have found.
    """

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
    report: EvaluationReport
    cleaning: InputCleaning

    @property
    def reference(self) -> str:
        """What every other form is held against."""
        if self.method.base_quantization is not None:
            return f"the adapter on {QUANTIZED}"
        return "the trained model" if self.method.kind == "full" else "the adapter on its base"

    @property
    def plain_form(self) -> str:
        """The name of the form that is packaged."""
        return "merged" if self.method.merges else "adapted"

    def form(self, name: str) -> str:
        """The name of a form; where the reference is quantized, and the form is not, it says so."""
        return name if self.method.base_quantization is None else f"{name} against {QUANTIZED}"

    def card(self) -> str:
        """The model card."""
        return model_card(
            self.report,
            model=self.recipe.model_name,
            recipe=self.recipe.recipe.model_dump(mode="json"),
            base=json.loads((self.base / "facts.json").read_text())["provenance"],
        )

    @property
    def serving(self) -> Serving:
        return Serving(
            task=self.task,
            head=self.head,
            max_length=self.max_length,
            max_new_tokens=self.max_new_tokens,
            method=None if self.method.merges else self.method,
            calibration=self.report.calibration,
            cleaning=self.cleaning,
        )


def write_deployment(
    job: Deployment, folder: Path, *, save: SavePackage, load: LoadPackage, serve: ServePackage
) -> None:
    """Merges, saves the package with ``save``, loads it with ``load``, serves it with ``serve``; parity at each step.

    The recipe's other targets are written and proved after it, each in a folder of its name.

    ``save(model, package, serving, rows)`` writes the package from the folder of a plain model and rows of a split;
    ``load(package)`` gives a function from such rows to predictions; ``serve(package)`` one from the columns that the
    package takes to answers, for as long as its server runs.

    Raises:
        ParityError: the merged, packaged or served model, or a target, answers otherwise than the tuned one did, on
            validation rows; or the package does not answer exactly as what it was made of.
        ModelError: a target cannot hold the model.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        proven, parities = _package(job, Path(scratch) / "model", folder, save=save, load=load, serve=serve)
        beside = job.recipe.recipe.deploy.beside_package
        written = {name: _write_target(name, target, proven, folder / name) for name, target in beside.items()}
    _finish(job, folder, parities, written)


def _package(
    job: Deployment, plain: Path, folder: Path, *, save: SavePackage, load: LoadPackage, serve: ServePackage
) -> tuple[ProvenModel, list[Parity]]:
    package, card, generates = folder / "package", job.card(), job.head.is_language_model
    rows = pq.read_table(job.splits / "validation.parquet")[: GENERATED_ROWS if generates else PARITY_ROWS]
    serving = replace(job.serving, batch_size=1) if generates else job.serving
    tolerance = GENERATED_TOLERANCE if generates else TOLERANCE
    how = serving.inference(generated_rows=len(rows))
    expected, asked = _reference(job, rows, how)
    same: dict[str, Any] = {"tolerance": tolerance, "calibration": serving.calibration}

    def compared(form: str, received: Predictions) -> Parity:
        return require_parity(job.form(form), job.head, expected, received, **same)

    write_servable(job.method, job.model, job.tuned, job.head, plain)
    before, written = job.plain_form, ServedModel(plain, serving).predict(rows, how)
    parities = [compared(before, written)]
    save(plain, package, job.serving, rows)
    for place in (package, folder):
        (place / CARD).write_text(card)
    packaged = load(package)(rows, how)
    parities.append(compared("packaged", packaged))
    # The same weights, asked by the same code: no sum is in another order.
    exactly = same | {"tolerance": 0.0}
    parities.append(require_parity(f"packaged against {before}", job.head, written, packaged, **exactly))
    with serve(package) as ask:
        received = [answer for part in _parts(asked.rows, serving.batch_size) for answer in ask(part)]
    parities.append(require_same_answers(job.form("served"), asked, received, job.head, **same))
    KeptAnswers.of(asked, received, job.head, **same).write(folder / ANSWERS)
    model = job.recipe.model_name
    proven = ProvenModel(model, plain, serving, rows, expected, tolerance, base=job.base, tuned=job.tuned, card=card)
    return proven, parities


def _reference(job: Deployment, rows: pa.Table, how: Inference) -> tuple[Predictions, Asked]:
    """What the tuned model answers, as it was trained; and the rows of it that a server can be asked."""
    tuned, tokenizer = load_reference(job.method, job.model, job.tuned, job.head), load_tokenizer(job.model)
    found = TASKS[job.task].predict(tuned, tokenizer, rows, job.head, how)
    expected = job.serving.calibration.applied(found, job.head)
    return expected, asked_rows(rows, expected, job.task, tokenizer, job.head, job.max_length)


def _parts(rows: pa.Table, size: int) -> Iterator[pa.Table]:
    return (rows.slice(first, size) for first in range(0, len(rows), size))


def _write_target(name: str, target: Target, proven: ProvenModel, folder: Path) -> dict[str, Any]:
    log.info("writing %s", target.title)
    folder.mkdir()
    target.write(proven, folder)
    if proven.serving.calibration != UNCALIBRATED:
        (folder / "calibration.json").write_text(json.dumps(asdict(proven.serving.calibration), indent=2))
    facts = target.prove(proven, folder)
    return {"path": folder.name, "bytes": folder_bytes(folder), **facts}


def _finish(job: Deployment, folder: Path, parities: list[Parity], written: Mapping[str, Mapping[str, Any]]) -> None:
    share_files(folder)
    package = {"path": "package", "bytes": folder_bytes(folder / "package")}
    facts = {
        "model": job.recipe.model_name,
        "merged": job.method.merges,
        "reference": job.reference,
        "bytes": package["bytes"],
        "stored_bytes": stored_bytes(folder),
        "parity": [asdict(parity) for parity in parities],
        "targets": {PACKAGE: package, **written},
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))
    for parity in parities:
        log.info("%s", parity)
