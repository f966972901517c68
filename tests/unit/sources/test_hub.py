from dataclasses import replace
from pathlib import Path

import pytest

from luthier.digest import file_digest
from luthier.errors import NotDownloadedError, SourceError
from luthier.sources import Access, fetch
from tests.unit.sources.conftest import Fetch
from tests.unit.sources.hub_server import HubServer

MODEL = {
    "config.json": "{}",
    "model.safetensors": "weights",
    "tokenizer.json": "{}",
    "README.md": "---\nlicense: apache-2.0\n---\n# Tiny",
    "pytorch_model.bin": "pickle",
    "tokenizer.py": "import os",
    "training_args.bin": "pickle",
    "onnx/model.onnx": "another form",
    "onnx/config.json": "{}",
}
ROWS = {
    "data/train-0.csv": "text\none\n",
    "data/train-1.csv": "text\ntwo\n",
    "data/deep/train-2.csv": "text\nthree\n",
    "data/test.csv": "text\nfour\n",
    "data/load.py": "import os",
    "README.md": "---\nlicense: mit\n---\n",
}


def _names(files: tuple[Path, ...]) -> list[str]:
    return [file.name for file in files]


def test_a_moved_branch_is_followed_online_and_not_offline(hub: HubServer, access: Access) -> None:
    offline = replace(access, offline=True)
    first = hub.commit("datasets/o/rows", ROWS)
    before = fetch("hub://datasets/o/rows/data/test.csv", access)
    second = hub.commit("datasets/o/rows", {**ROWS, "data/test.csv": "text\nfive\n"})
    assert fetch("hub://datasets/o/rows/data/test.csv", offline) == before
    after = fetch("hub://datasets/o/rows/data/test.csv", access)
    assert (before.provenance["commit"], after.provenance["commit"]) == (first, second)
    assert before.path.read_text() == "text\nfour\n" and after.path.read_text() == "text\nfive\n"
    assert before.fingerprint == file_digest(before.path) != after.fingerprint
    assert fetch("hub://datasets/o/rows/data/test.csv", offline) == after
    assert fetch(f"hub://datasets/o/rows@{first}/data/test.csv", offline).path == before.path


def test_the_fingerprint_is_of_the_files_and_not_of_the_commit(hub: HubServer, get: Fetch) -> None:
    hub.commit("datasets/o/rows", ROWS)
    before = get("hub://datasets/o/rows/data/test.csv")
    hub.commit("datasets/o/rows", {**ROWS, "README.md": "words"})
    after = get("hub://datasets/o/rows/data/test.csv")
    assert after.provenance["commit"] != before.provenance["commit"]
    assert after.fingerprint == before.fingerprint


def test_a_model_is_weights_configuration_and_tokenizer_and_never_a_pickle_or_a_script(
    hub: HubServer, access: Access
) -> None:
    commit = hub.commit("o/tiny", MODEL)
    fetched = fetch("hub://o/tiny", access)
    assert _names(fetched.files) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert fetched.provenance == {
        "scheme": "hub",
        "repository": "o/tiny",
        "kind": "model",
        "revision": "main",
        "commit": commit,
        "license": "apache-2.0",
    }
    on_disk = {path.name for path in access.downloads.rglob("*") if path.is_file()}
    assert not {"pytorch_model.bin", "training_args.bin", "tokenizer.py", "model.onnx"} & on_disk
    assert not any(name in path for path in hub.asked for name in ("pytorch_model", "tokenizer.py", "onnx"))


@pytest.mark.parametrize(
    ("member", "names"),
    [
        ("data/train-*.csv", ["train-0.csv", "train-1.csv"]),
        ("data/**/train-[12].csv", ["train-2.csv", "train-1.csv"]),
        ("data", ["train-2.csv", "test.csv", "train-0.csv", "train-1.csv"]),
        ("data/*", ["test.csv", "train-0.csv", "train-1.csv"]),
    ],
)
def test_folders_and_globs_give_their_data_files_in_order(
    hub: HubServer, access: Access, member: str, names: list[str]
) -> None:
    hub.commit("datasets/o/rows", ROWS)
    fetched = fetch(f"hub://datasets/o/rows/{member}", access)
    assert _names(fetched.files) == names
    assert fetched.path.name == "data"
    assert fetch(f"hub://datasets/o/rows/{member}", replace(access, offline=True)) == fetched


def test_a_glob_of_which_one_file_is_there_is_not_downloaded(hub: HubServer, access: Access) -> None:
    hub.commit("datasets/o/rows", ROWS)
    fetch("hub://datasets/o/rows/data/train-0.csv", access)
    with pytest.raises(NotDownloadedError, match="not downloaded whole"):
        fetch("hub://datasets/o/rows/data/train-*.csv", replace(access, offline=True))


def test_branches_with_slashes_and_convert_references_are_revisions(hub: HubServer, get: Fetch) -> None:
    hub.commit("datasets/o/rows", ROWS)
    other = hub.commit("datasets/o/rows", {"a.csv": "text\n"}, branch="refs%2Fconvert%2Fparquet")
    for uri in (
        "hub://datasets/o/rows@refs/convert/parquet/a.csv",
        "hub://datasets/o/rows@refs%2Fconvert%2Fparquet/a.csv",
    ):
        assert get(uri).provenance["commit"] == other


def test_a_cache_that_another_machine_filled_is_enough_offline(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, cache = "c" * 40, access.downloads / "hub" / "models--o--tiny"
    snapshot = cache / "snapshots" / commit
    for folder in (snapshot, cache / "refs", cache / "blobs"):
        folder.mkdir(parents=True)
    (cache / "refs" / "main").write_text(commit)
    for name in ("config.json", "model.safetensors"):
        (cache / "blobs" / f"blob-of-{name}").write_text(MODEL[name])
        (snapshot / name).symlink_to(f"../../blobs/blob-of-{name}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fetched = fetch("hub://o/tiny", access)
    assert fetched.path == snapshot and fetched.provenance["commit"] == commit
    assert [file.read_text() for file in fetched.files] == ["{}", "weights"]
    with pytest.raises(NotDownloadedError):
        fetch("hub://o/tiny@other", access)
    with pytest.raises(NotDownloadedError):
        fetch("hub://o/absent", access)


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("hub://o/absent", "no model o/absent"),
        ("hub://o/tiny@absent", "o/tiny has no absent"),
        ("hub://o/closed", "o/closed is gated"),
        ("hub://o/tiny/confg.json", "did you mean config.json"),
    ],
)
def test_what_the_hub_refuses_is_said_without_its_address_or_a_token(
    hub: HubServer, get: Fetch, monkeypatch: pytest.MonkeyPatch, uri: str, what: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_plantedtoken")
    hub.commit("o/tiny", MODEL)
    hub.commit("o/closed", MODEL)
    hub.gated.add("o/closed")
    with pytest.raises(SourceError, match=what) as raised:
        get(uri)
    assert hub.endpoint not in str(raised.value) and "hf_plantedtoken" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_hub_that_does_not_answer_is_an_error_and_not_the_old_commit(
    hub: HubServer, get: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.commit("o/tiny", MODEL)
    get("hub://o/tiny")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceError, match="the hub cannot be read") as raised:
        get("hub://o/tiny")
    assert "127.0.0.1" not in str(raised.value)


@pytest.mark.parametrize(
    "uri",
    [
        "hub://tiny",
        "hub://datasets/o/rows",
        "hub://datasets/o/rows/../../x",
        "hub://o/tiny@..%2F..%2Fx",
        "hub://o/tiny/pytorch_model.bin",
        "hub://o/tiny/Model.PKL",
        "hub://datasets/o/rows/load.py",
        "hub://o/tiny/*.safetensors",
    ],
)
def test_other_forms_are_refused_before_anything_is_asked(hub: HubServer, get: Fetch, uri: str) -> None:
    with pytest.raises(SourceError) as raised:
        get(uri)
    assert raised.value.remedy and not hub.asked
