"""Objects of s3://, gs://, gcs://, az://, abfs:// and https://: one, a glob, or all below a prefix that ends in /."""

import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from luthier.digest import digest_of, file_digest
from luthier.errors import NotDownloadedError, SourceError
from luthier.sources.access import Access
from luthier.sources.fetched import Fetched, require_digest
from luthier.sources.patterns import is_hidden, is_pattern, matches, nearest, split_pattern

log = logging.getLogger(__name__)

DRIVERS = {"s3": "'luthier[s3]'", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs", "https": "aiohttp"}
VERSIONS = ("ETag", "etag", "md5Hash", "content_md5")
INDEX = "objects.json"


@dataclass(frozen=True)
class Stored:
    """What is known of a downloaded object; ``version`` is the store's own mark, and only saves downloads."""

    version: str | None
    size: int | None
    sha256: str

    def is_at(self, path: Path) -> bool:
        """Whether a file is the object as it was downloaded."""
        return path.is_file() and file_digest(path) == self.sha256


def fetch_remote(uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched:
    """Download what is new or changed; offline, what was downloaded last.

    Credentials and endpoints come from the environment variables of the libraries (AWS_ACCESS_KEY_ID, ...).
    """
    scheme = uri.partition(":")[0].lower()
    folder = access.downloads / "remote" / digest_of(uri)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        stored = _read_index(folder)
        if not access.offline:
            with _explained(uri, scheme):
                stored = _download(uri, scheme, folder, stored)
            _write_index(folder, stored)
        _require_whole(folder, stored, uri)
    files = tuple(folder / "objects" / name for name in stored)
    single = not _is_many(uri, scheme)
    digests = {name: kept.sha256 for name, kept in stored.items()}
    fingerprint = next(iter(digests.values())) if single else digest_of(digests)
    require_digest(fingerprint, sha256, where=uri, remedy="correct sha256, or restore the object")
    provenance = {"scheme": scheme, "address": uri.partition("?")[0], "sha256": fingerprint}
    return Fetched(files[0] if single else folder / "objects", uri, fingerprint, provenance, files)


def _download(uri: str, scheme: str, folder: Path, before: dict[str, Stored]) -> dict[str, Stored]:
    store = _store(scheme, uri)
    after = {}
    for name, about in sorted(_listed(store, uri, scheme).items()):
        version = next((str(about[key]) for key in VERSIONS if about.get(key)), None)
        size, target, kept = about.get("size"), folder / "objects" / name, before.get(name)
        if kept is None or version is None or (kept.version, kept.size) != (version, size) or not kept.is_at(target):
            kept = Stored(version, size, _get(store, about["name"], target, folder))
        after[name] = kept
    for name in before.keys() - after.keys():
        (folder / "objects" / name).unlink(missing_ok=True)
    return after


def _listed(store: Any, uri: str, scheme: str) -> dict[str, dict[str, Any]]:
    """What the store says of each object, by its name below the part of the address that has no wildcards."""
    address = store._strip_protocol(uri)
    if not _is_many(uri, scheme):
        about = store.info(address)
        if about["type"] != "file":
            raise SourceError("a folder", where=uri, remedy="end its address with /")
        name = PurePosixPath(unquote(urlsplit(address).path)).name if scheme == "https" else address.rpartition("/")[2]
        return {_safe(name or "download", uri): about}
    base, pattern = split_pattern(address) if is_pattern(address) else (address.rstrip("/"), "**")
    below = {name.removeprefix(f"{base}/"): about for name, about in store.find(base, detail=True).items()}
    found = {_safe(name, uri): below[name] for name in below if matches(name, pattern) and not name.endswith("/")}
    if not found:
        raise SourceError("no object is there", where=uri, remedy=nearest(pattern, filter(None, below)))
    return found


def _is_many(uri: str, scheme: str) -> bool:
    many = uri.endswith("/") or (is_pattern(uri) and scheme != "https")
    if many and scheme == "https":
        raise SourceError("a folder of a web server", where=uri, remedy="name one file, or use s3://, gs:// or az://")
    return many


def _safe(name: str, uri: str) -> str:
    if is_hidden(name) or "\0" in name or name.startswith("/") or "" in name.split("/"):
        raise SourceError(f"an object with the name {name!r}", where=uri, remedy="name the objects without it")
    return name


def _store(scheme: str, uri: str) -> Any:
    import fsspec

    options = {"client_kwargs": {"trust_env": True}} if scheme == "https" else {}
    try:
        return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False, **options)
    except ImportError:
        remedy = f"pip install {DRIVERS[scheme]}"
        raise SourceError(f"no driver for {scheme}:// is installed", where=uri, remedy=remedy) from None


def _get(store: Any, name: str, target: Path, folder: Path) -> str:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as scratch:
        partial = Path(scratch) / "object"
        store.get_file(name, str(partial))
        digest = file_digest(partial)
        partial.replace(target)
    log.info("downloaded %s, %.1f MB", target.name, target.stat().st_size / 1e6)
    return digest


def _read_index(folder: Path) -> dict[str, Stored]:
    index = folder / INDEX
    if not index.is_file():
        return {}
    return {name: Stored(**known) for name, known in json.loads(index.read_text()).items()}


def _write_index(folder: Path, stored: dict[str, Stored]) -> None:
    partial = folder / f".{INDEX}"
    partial.write_text(json.dumps({name: asdict(kept) for name, kept in stored.items()}, indent=1))
    partial.replace(folder / INDEX)


def _require_whole(folder: Path, stored: dict[str, Stored], uri: str) -> None:
    if not stored:
        raise NotDownloadedError("not downloaded, and nothing may be now", where=uri, remedy="fetch it once online")
    for name, kept in stored.items():
        file = folder / "objects" / name
        if not kept.is_at(file):
            raise SourceError("a damaged download", where=str(file), remedy="fetch it again online")


@contextmanager
def _explained(uri: str, scheme: str) -> Iterator[None]:
    """Errors of the libraries as SourceErrors: without their texts, which can hold addresses and keys."""
    try:
        yield
    except SourceError:
        raise
    except PermissionError:
        remedy = "check the credentials in the environment, and what they may read"
        raise SourceError("access is denied", where=uri, remedy=remedy) from None
    except Exception as error:  # noqa: BLE001 - every driver has error classes of its own
        # On the web every failure is a FileNotFoundError, and its cause says which.
        cause = error.__cause__ if scheme == "https" and error.__cause__ else error
        if isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) == 404:
            raise SourceError("no such bucket or object", where=uri, remedy="correct the address") from None
        remedy = "check the network, the endpoint and the credentials in the environment"
        raise SourceError(f"{scheme}:// cannot be read: {type(cause).__name__}", where=uri, remedy=remedy) from None
