"""Serving a registered model until it is stopped."""

import os
import tempfile
from pathlib import Path

import psutil
from rich.console import Console

from luthier.errors import LuthierError
from luthier.recipe.serving_section import ServingSection
from luthier.serving.control import Control
from luthier.serving.json_log import log_as_json
from luthier.serving.settings import HOST, TOKEN_VARIABLE, Kept, Limits, Precision, Settings
from luthier.serving.supervisor import Supervisor
from pipelines.servers import require_free
from resources.artifact_store import ArtifactStore
from resources.home import luthier_home, yield_shared_cores
from resources.served_version import ServedVersion
from resources.tracking import Tracking


def served_version(model: str, *, alias: str, version: str | None) -> ServedVersion:
    """A version of the registry, to be found there."""
    home = luthier_home()
    registry = Tracking(home=str(home)).registry
    return ServedVersion(registry, model, home / "serving" / "packages", alias, version)


def serve_model(
    version: ServedVersion,
    *,
    port: int,
    every: float,
    limits: Limits,
    hosts: tuple[str, ...],
    log_texts: bool,
    threads: int | None,
    at_once: int | None,
    precision: Precision,
    kept: ServingSection,
    console: Console,
) -> None:
    """Serves on this machine alone, until SIGINT or SIGTERM."""
    require_free(port)
    target = version.find()
    fixed = version.version is not None
    cores = threads or psutil.cpu_count(logical=False) or 1
    settings = Settings(
        model=version.model,
        port=port,
        threads=cores,
        at_once=min(at_once or cores, cores),
        precision=precision,
        alias=None if fixed else version.alias,
        hosts=hosts,
        log_texts=log_texts,
        kept=_kept(version.model, kept),
        limits=limits,
    )
    yield_shared_cores()
    os.environ["HF_HUB_OFFLINE"] = "1"
    log_as_json()
    named = "" if fixed else f", as long as it is the {version.alias}"
    console.print(f"{version.model} version {target.version}{named}: http://{HOST}:{port}", highlight=False)
    if not os.environ.get(TOKEN_VARIABLE):
        console.print(f"Whoever is on this machine may ask; {TOKEN_VARIABLE} sets a token.", highlight=False)
    with tempfile.TemporaryDirectory(prefix="luthier-serving-") as folder:
        control = Control(Path(folder))
        control.aim_at(target)
        settings.write(control.folder)
        code = Supervisor(control, None if fixed else version.find, every=every).run()
    if code:
        raise LuthierError("the model could not be served", where=target.folder, remedy="see what is said above")


def _kept(model: str, asked: ServingSection) -> Kept | None:
    """Where answers are kept, if the recipe asks for it."""
    if not asked.log_predictions:
        return None
    folder = ArtifactStore(home=str(luthier_home())).predictions / model
    return Kept(str(folder), asked.log_predictions, asked.log_days)
