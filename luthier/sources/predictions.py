"""``predictions://MODEL``: what a served model was asked and answered, as ``serve.log_predictions`` keeps it."""

from pathlib import Path

from luthier.errors import SourceError
from luthier.sources.access import Access
from luthier.sources.fetched import Fetched, content_digest, require_digest

PREFIX = "predictions://"


def fetch_predictions(uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched:
    """All whole files of the model's log, in the order in which they were written."""
    name = uri[len(PREFIX) :].rstrip("/")
    if not name or "/" in name or name.startswith("."):
        raise SourceError("no model's name", received=uri, remedy="write predictions://MODEL, as deploy.model names it")
    if access.predictions is None:
        raise SourceError("no predictions are kept here", received=uri, remedy="name files instead")
    folder = access.predictions / name
    files = logged_files(folder)
    if not files:
        raise SourceError(
            "nothing was logged",
            where=str(folder),
            received=uri,
            remedy="set serve.log_predictions in the model's recipe, and serve it",
        )
    fingerprint = content_digest(folder, files)
    require_digest(fingerprint, sha256, where=uri, remedy="leave sha256 out: a log grows")
    provenance = {"scheme": "predictions", "model": name, "files": str(len(files)), "sha256": fingerprint}
    return Fetched(folder, uri, fingerprint, provenance, files)


def logged_files(folder: Path) -> tuple[Path, ...]:
    """The files of a log, the oldest first."""
    return tuple(sorted(path for path in folder.glob("*.parquet") if not path.name.startswith(".")))
