"""Artifacts: immutable folders named by the digest of what determines their content."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock, Timeout
from pydantic import Field

from luthier.digest import digest_of, folder_digests
from luthier.durable import sync
from luthier.errors import LuthierError

log = logging.getLogger("luthier.artifacts")

MANIFEST = "manifest.json"
# What is being made lies beside its place, in a folder with this suffix.
PENDING = ".pending"
RECENT = 20
# Goes up when the library writes other files from the same inputs.
FORMAT = 3
RECORDED_VERSIONS = ("luthier", "torch", "transformers", "peft", "bitsandbytes", "datasets", "scikit-learn", "pyarrow")


@dataclass(frozen=True)
class Artifact:
    """One stored artifact. ``reused`` says whether this materialization found it instead of making it."""

    asset: str
    digest: str
    folder: Path
    reused: bool = True

    @cached_property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / MANIFEST).read_text())

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the library measured while making it."""
        return json.loads((self.folder / "facts.json").read_text())


class ArtifactStore(dg.ConfigurableIOManager):
    """Keeps ``<home>/artifacts/<asset>/<digest>/`` and hands assets what Dagster recorded for their inputs."""

    home: str = Field(description="LUTHIER_HOME.")

    @property
    def root(self) -> Path:
        return Path(self.home) / "artifacts"

    @property
    def downloads(self) -> Path:
        """Wheels and what was extracted from them."""
        return Path(self.home) / "downloads"

    @property
    def predictions(self) -> Path:
        """A folder for each model, with what it was asked and answered where its recipe says so."""
        return Path(self.home) / "predictions"

    def work(self, asset: str, digest: str) -> Path:
        """Where a build that can be resumed keeps its state; keyed like the artifact, so never another's."""
        return Path(self.home) / "work" / asset / digest

    def clear_work(self, asset: str, digest: str) -> None:
        """Removes the state of a build that is done."""
        shutil.rmtree(self.work(asset, digest), ignore_errors=True)

    @staticmethod
    def digest(asset: str, inputs: Mapping[str, Any]) -> str:
        """The name of the artifact that ``inputs`` determine."""
        return digest_of({"asset": asset, "format": FORMAT, **inputs})

    def obtain(
        self,
        asset: str,
        inputs: Mapping[str, Any],
        build: Callable[[Path], object],
        *,
        record: Mapping[str, Any] | None = None,
    ) -> Artifact:
        """The artifact that ``inputs`` determine: found and verified, or built.

        ``build`` writes into a temporary folder, which is flushed to disk and renamed once it is whole. ``record`` is
        kept in the manifest, as ``build`` leaves it, and does not take part in the digest.
        """
        digest = self.digest(asset, inputs)
        folder = self.root / asset / digest
        folder.parent.mkdir(parents=True, exist_ok=True)
        with self._alone(asset, folder):
            if folder.is_dir() and not (damage := damaged_files(folder)):
                log.info("%s %s reused", asset, digest[:12])
                return Artifact(asset, digest, folder)
            if folder.is_dir():
                log.warning("%s %s is damaged (%s): made again", asset, digest[:12], ", ".join(damage))
                shutil.rmtree(folder)
            self._build(asset, digest, folder, inputs, build, record or {})
        return Artifact(asset, digest, folder, reused=False)

    @contextmanager
    def _alone(self, asset: str, folder: Path) -> Iterator[None]:
        """Keeps other processes from building the same artifact; waits for one that is at it."""
        lock = FileLock(folder.with_suffix(".lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("waiting for another process that is making this %s", asset)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def find(self, asset: str, inputs: Mapping[str, Any]) -> Artifact | None:
        """The artifact that ``inputs`` determine, if it was made; its files are not verified."""
        digest = self.digest(asset, inputs)
        folder = self.root / asset / digest
        return Artifact(asset, digest, folder) if folder.is_dir() else None

    def made(self, asset: str) -> list[str]:
        """The digests of all artifacts of an asset, in alphabetical order."""
        folders = (path for path in (self.root / asset).glob("*") if path.is_dir() and path.suffix != PENDING)
        return sorted(path.name for path in folders)

    def open(self, asset: str, digest: str) -> Artifact:
        """A stored artifact, verified against the digests of its files."""
        folder = self.root / asset / digest
        remedy = f"materialize {asset} again: it will be made anew"
        if not folder.is_dir():
            raise LuthierError("the artifact is gone", where=str(folder), remedy=remedy)
        if damage := damaged_files(folder):
            raise LuthierError("the artifact is damaged", where=str(folder), received=damage, remedy=remedy)
        return Artifact(asset, digest, folder)

    def _build(
        self,
        asset: str,
        digest: str,
        folder: Path,
        inputs: Mapping[str, Any],
        build: Callable[[Path], object],
        record: Mapping[str, Any],
    ) -> None:
        pending = folder.with_suffix(PENDING)
        shutil.rmtree(pending, ignore_errors=True)
        pending.mkdir()
        began = time.time()
        build(pending)
        manifest = {
            "asset": asset,
            "digest": digest,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "inputs": inputs,
            "library_time": [began, time.time()],
            "versions": {name: version(name) for name in RECORDED_VERSIONS},
            "files": folder_digests(pending),
            **record,
        }
        (pending / MANIFEST).write_text(json.dumps(manifest, indent=2))
        _make_durable(pending)
        pending.rename(folder)

    def load_input(self, context: dg.InputContext) -> Artifact:
        """The artifact that Dagster recorded for this asset and partition: by this run, else the last one."""
        recorded = dg.AssetRecordsFilter(asset_key=context.asset_key, asset_partitions=[context.asset_partition_key])
        records = context.instance.fetch_materializations(recorded, limit=RECENT).records
        # This run's own, when another run of the partition has materialized since.
        records = [r for r in records if r.run_id == context.step_context.run_id] or records
        name = context.asset_key.to_user_string()
        if not records:
            raise LuthierError(
                f"{name} was never materialized for {context.asset_partition_key}", remedy="do that first"
            )
        return self.open(name, recorded_value(records[0], "digest"))

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        raise TypeError(f"assets return dg.MaterializeResult, not a value: {type(obj).__name__}")


def recorded_value(record: dg.EventLogRecord, name: str) -> str:
    """An entry of the metadata of a materialization that Dagster recorded."""
    materialization = record.asset_materialization
    assert materialization is not None
    return str(materialization.metadata[name].value)


def damaged_files(folder: Path) -> list[str]:
    """Files that are missing, added or changed since the artifact was made."""
    if not (folder / MANIFEST).is_file():
        return [MANIFEST]
    expected = json.loads((folder / MANIFEST).read_text())["files"]
    found = folder_digests(folder)
    found.pop(MANIFEST)
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def _make_durable(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        if path.is_file():
            path.chmod(0o444)
        sync(path)
