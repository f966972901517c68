"""``hub://OWNER/NAME@REVISION``, ``hub://datasets/OWNER/NAME@REVISION/PATH``: a commit of a Hugging Face repository."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import yaml

from luthier.errors import NotDownloadedError, SourceError
from luthier.sources.access import Access
from luthier.sources.fetched import Fetched, content_digest, require_digest
from luthier.sources.patterns import is_hidden, is_pattern, matches, nearest, split_pattern

log = logging.getLogger(__name__)

WORD = "[A-Za-z0-9][A-Za-z0-9._-]*"
URI = re.compile(
    rf"hub://(?P<kind>datasets/)?(?P<repository>{WORD}/{WORD})"
    r"(?:@(?P<revision>refs/(?:convert|pr)/[^/]+|[^/]+))?(?:/(?P<member>.+))?",
    re.I,
)
COMMIT = re.compile("[0-9a-f]{40}")
CARD = "README.md"
MODEL_FILES = [
    *("*.safetensors", "*.safetensors.index.json", "*.gguf", "config.json", "generation_config.json"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*"),
    *("*.model", "LICENSE*", "LICENCE*", "NOTICE*"),
]
NEVER = ["*.py", "*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.joblib", "*.h5", "*.msgpack", "*.npy"]


@dataclass(frozen=True)
class Repository:
    """What a URI names: a model, or files of a data set."""

    kind: str
    name: str
    revision: str
    member: str

    @property
    def patterns(self) -> tuple[list[str], list[str]]:
        """What the library is told to download and to leave out; its ``*`` crosses slashes."""
        if not self.member:
            return [*MODEL_FILES, CARD], [*NEVER, "*/*"]
        wide = self.member.replace("**/", "*")
        return [wide, f"{wide}/*", CARD], NEVER

    def holds(self, name: str) -> bool:
        """Whether a file of the repository is part of what is named."""
        safe = not any(fnmatchcase(name.lower(), pattern) for pattern in NEVER)
        if not self.member:
            return safe and "/" not in name and any(fnmatchcase(name, pattern) for pattern in MODEL_FILES)
        below = name.startswith(f"{self.member}/") and not is_hidden(name.removeprefix(f"{self.member}/"))
        return safe and (name == self.member or below or matches(name, self.member))


def fetch_hub(uri: str, access: Access, *, sha256: str | None, query: str | None) -> Fetched:
    """The files of the commit that the revision is now, or was when it was last fetched if nothing may be downloaded.

    A model is its safetensors or GGUF files, its configuration and its tokenizer; pickles and scripts are never taken.
    """
    from huggingface_hub import snapshot_download

    source = _parse(uri)
    offline = access.offline or _is_set("HF_HUB_OFFLINE")
    cache = access.downloads / "hub"
    with _explained(source, uri):
        commit = _cached_commit(source, cache, uri) if offline else _commit(source, cache)
        wanted, left_out = source.patterns
        snapshot = Path(
            snapshot_download(
                source.name,
                repo_type=source.kind,
                revision=commit,
                cache_dir=cache,
                allow_patterns=wanted,
                ignore_patterns=left_out,
                local_files_only=offline,
                endpoint=os.environ.get("HF_ENDPOINT"),
            )
        )
        path, files = _files(source, snapshot, uri=uri, offline=offline)
    fingerprint = content_digest(path, files)
    require_digest(fingerprint, sha256, where=uri, remedy="correct sha256, or name the commit after @")
    about = {"repository": source.name, "kind": source.kind, "revision": source.revision, "commit": commit}
    return Fetched(path, uri, fingerprint, {"scheme": "hub", **about, **_license(snapshot / CARD)}, files)


def _parse(uri: str) -> Repository:
    match = URI.fullmatch(uri)
    form = "write hub://OWNER/NAME@REVISION, or hub://datasets/OWNER/NAME@REVISION/PATH"
    if match is None:
        raise SourceError("not a repository of the hub", received=uri, remedy=form)
    member, kind = (match["member"] or "").strip("/"), "dataset" if match["kind"] else "model"
    revision = unquote(match["revision"] or "main")
    if ".." in [*PurePosixPath(member).parts, *PurePosixPath(revision).parts] or revision.startswith("/"):
        raise SourceError("a path with ..", received=uri, remedy=form)
    if kind == "dataset" and not member:
        raise SourceError(
            "a data set without its files", received=uri, remedy="name them, as in .../data/train*.parquet"
        )
    if kind == "model" and is_pattern(member):
        raise SourceError("a model is whole or one file", received=uri, remedy="take the wildcards out")
    if any(fnmatchcase(member.lower(), pattern) for pattern in NEVER):
        remedy = "name safetensors or GGUF files of a model, and data files of a data set"
        raise SourceError("a file that can run code when it is loaded", received=uri, remedy=remedy)
    return Repository(kind, match["repository"], revision, member)


def _commit(source: Repository, cache: Path) -> str:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    commit = api.repo_info(source.name, repo_type=source.kind, revision=source.revision).sha
    if commit is None or not COMMIT.fullmatch(commit):
        raise SourceError("the hub names no commit", where=source.name, received=commit, remedy="name one after @")
    if commit != source.revision:
        ref = _reference(source, cache)
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)
    log.info("%s of %s is commit %s", source.revision, source.name, commit)
    return commit


def _cached_commit(source: Repository, cache: Path, uri: str) -> str:
    ref = _reference(source, cache)
    if COMMIT.fullmatch(source.revision):
        return source.revision
    if not ref.is_file():
        raise _not_downloaded(source, uri)
    return ref.read_text().strip()


def _reference(source: Repository, cache: Path) -> Path:
    return cache / f"{source.kind}s--{source.name.replace('/', '--')}" / "refs" / source.revision


def _files(source: Repository, snapshot: Path, *, uri: str, offline: bool) -> tuple[Path, tuple[Path, ...]]:
    names = sorted(file.relative_to(snapshot).as_posix() for file in snapshot.rglob("*") if file.is_file())
    files = tuple(snapshot / name for name in names if source.holds(name))
    if not files and offline:
        raise _not_downloaded(source, uri)
    if not files:
        what = (
            f"the repository has no {source.member}"
            if source.member
            else "the repository has no model that can be read"
        )
        raise SourceError(what, where=uri, remedy=_hint(source, snapshot.name))
    named = snapshot / source.member
    return (named if named.exists() else snapshot / split_pattern(source.member)[0]), files


def _hint(source: Repository, commit: str) -> str:
    from huggingface_hub import HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    return nearest(source.member, api.list_repo_files(source.name, repo_type=source.kind, revision=commit))


def _license(card: Path) -> dict[str, str]:
    from huggingface_hub.repocard import metadata_load

    try:
        stated = (metadata_load(card) or {}).get("license") if card.is_file() else None
    except (ValueError, yaml.YAMLError):
        return {"license": "not known: the card cannot be read"}
    return {"license": str(stated)} if stated else {}


@contextmanager
def _explained(source: Repository, uri: str) -> Iterator[None]:
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        remedy = "accept its terms on its page, and set HF_TOKEN"
        raise SourceError(f"{source.name} is gated", where=uri, remedy=remedy) from None
    except errors.RevisionNotFoundError:
        raise SourceError(f"{source.name} has no {source.revision}", where=uri, remedy="correct it") from None
    except errors.RepositoryNotFoundError:
        remedy = "correct its name, or set HF_TOKEN if it is private"
        raise SourceError(f"no {source.kind} {source.name}", where=uri, remedy=remedy) from None
    except errors.LocalEntryNotFoundError:
        raise _not_downloaded(source, uri) from None
    except (errors.HTTPError, errors.HFValidationError, OSError) as error:
        remedy = "check the network and the address"
        raise SourceError(f"the hub cannot be read: {type(error).__name__}", where=uri, remedy=remedy) from None


def _not_downloaded(source: Repository, uri: str) -> NotDownloadedError:
    what = f"{source.name} at {source.revision} is not downloaded whole, and nothing may be now"
    return NotDownloadedError(what, where=uri, remedy="fetch it once online")


def _is_set(variable: str) -> bool:
    return os.environ.get(variable, "").upper() in {"1", "ON", "YES", "TRUE"}
