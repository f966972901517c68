"""From a trained adapter to a package, and to other targets, that are proved to answer the same."""

import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from luthier.evaluation.report import read_report
from luthier.methods import Method
from luthier.models.loading import load_tokenizer
from luthier.packaging.merging import load_reference, write_servable
from luthier.packaging.model_card import model_card
from luthier.packaging.parity import TOLERANCE, Parity, require_parity
from luthier.packaging.serving import ServedModel, Serving
from luthier.packaging.sharing import folder_bytes, share_files, stored_bytes
from luthier.packaging.targets import PACKAGE
from luthier.packaging.targets.target import ProvenModel, Target
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

    @property
    def serving(self) -> Serving:
        return Serving(
            task=self.task,
            head=self.head,
            max_length=self.max_length,
            max_new_tokens=self.max_new_tokens,
            method=None if self.method.merges else self.method,
        )


def write_deployment(job: Deployment, folder: Path, *, save: SavePackage, load: LoadPackage) -> None:
    """Merges, saves the package with ``save``, loads it back with ``load``, and requires parity at each step.

    The recipe's other targets are written and proved after it, each in a folder of its name.

    ``save(model, package, serving, rows)`` writes the package from the folder of a plain model and rows of a split;
    ``load(package)`` gives a function from such rows to predictions.

    Raises:
        ParityError: the merged or the packaged model, or a target, answers otherwise than the tuned one did, on
            validation rows.
        ModelError: a target cannot hold the model.
    """
    card = _card(job)
    (folder / "README.md").write_text(card)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        proven, parities = _package(job, card, Path(scratch) / "model", folder / "package", save=save, load=load)
        beside = job.recipe.recipe.deploy.beside_package
        written = {name: _write_target(name, target, proven, folder / name) for name, target in beside.items()}
    _finish(job, folder, parities, written)


def _package(
    job: Deployment, card: str, plain: Path, package: Path, *, save: SavePackage, load: LoadPackage
) -> tuple[ProvenModel, list[Parity]]:
    generates = job.head.is_language_model
    rows = pq.read_table(job.splits / "validation.parquet")[: GENERATED_ROWS if generates else PARITY_ROWS]
    serving = replace(job.serving, batch_size=1) if generates else job.serving
    how = serving.inference(generated_rows=len(rows))
    tuned = load_reference(job.method, job.model, job.tuned, job.head)
    expected = TASKS[serving.task].predict(tuned, load_tokenizer(job.model), rows, job.head, how)
    del tuned
    tolerance = GENERATED_TOLERANCE if generates else TOLERANCE

    def compared(form: str, predict: Predict) -> Parity:
        return require_parity(form, job.head, expected, predict(rows, how), tolerance=tolerance)

    write_servable(job.method, job.model, job.tuned, job.head, plain)
    parity = compared("merged" if job.method.merges else "adapted", ServedModel(plain, serving).predict)
    save(plain, package, job.serving, rows)
    parities = [parity, compared("packaged", load(package))]
    model = job.recipe.model_name
    proven = ProvenModel(model, plain, serving, rows, expected, tolerance, base=job.base, tuned=job.tuned, card=card)
    return proven, parities


def _write_target(name: str, target: Target, proven: ProvenModel, folder: Path) -> dict[str, Any]:
    log.info("writing %s", target.title)
    folder.mkdir()
    target.write(proven, folder)
    facts = target.prove(proven, folder)
    return {"path": folder.name, "bytes": folder_bytes(folder), **facts}


def _card(job: Deployment) -> str:
    return model_card(
        read_report(job.report),
        model=job.recipe.model_name,
        recipe=job.recipe.recipe.model_dump(mode="json"),
        base=json.loads((job.base / "facts.json").read_text())["provenance"],
    )


def _finish(job: Deployment, folder: Path, parities: list[Parity], written: Mapping[str, Mapping[str, Any]]) -> None:
    share_files(folder)
    package = {"path": "package", "bytes": folder_bytes(folder / "package")}
    facts = {
        "model": job.recipe.model_name,
        "merged": job.method.merges,
        "bytes": package["bytes"],
        "stored_bytes": stored_bytes(folder),
        "parity": [asdict(parity) for parity in parities],
        "targets": {PACKAGE: package, **written},
    }
    (folder / "facts.json").write_text(json.dumps(facts, indent=2))
    for parity in parities:
        log.info("%s: %d of %d predictions agree", parity.form, parity.agreeing, parity.rows)
