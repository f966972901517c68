"""Registered versions: proved before an alias moves, promoted and rolled back by hand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from assets.registration import prove
from luthier.errors import ParityError
from luthier.packaging.deployment import Predict
from luthier.tasks.task import Inference, Predictions
from pipelines.results import newest_result
from pipelines.summary import print_result
from pipelines.versions import promote, roll_back
from resources.recipe_book import RecipeBook
from resources.tracking import PROOF_TAG
from tests.dag.graph import failure, metadata, remade, up_to
from tests.dag.test_promotion import EASY, FULL, IDLE, LEARNING

PROVED = re.compile(r"registered: 8 of 8 agree within 1e-04, the largest difference is \d\.\de[-+]\d\d")


def luthier(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", *arguments]
    return subprocess.run(command, env={**os.environ, "COLUMNS": "200"}, capture_output=True, text=True, check=False)


def refused(*arguments: str) -> str:
    ended = luthier(*arguments)
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), ended.stdout + ended.stderr
    return ended.stderr


def done(*arguments: str) -> str:
    ended = luthier(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_versions_are_shown_promoted_and_rolled_back_from_the_command_line(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    assert "no version is registered" in refused("versions", "tiny")
    assert "there is no challenger" in refused("promote", "tiny")
    assert "no champion to roll back from" in refused("rollback", "tiny")
    assert graph.run().success
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    worse = metadata(graph.run(), "deployed_artifact")
    assert (worse["version"], worse["alias"]) == ("2", "challenger")
    printed = Console(record=True, width=200)
    resolved = RecipeBook(folder=str(graph.project / "recipes")).get("tiny")
    print_result(resolved, newest_result("tiny", graph.instance, graph.artifacts), printed)
    assert "tiny version 2, alias challenger" in printed.export_text()

    shown = json.loads(done("versions", "tiny", "--json"))
    assert [(v["version"], v["aliases"]) for v in shown["versions"]] == [("2", ["challenger"]), ("1", ["champion"])]
    best = shown["versions"][1]
    assert best["score"]["metric"] == "accuracy" and best["score"]["low"] <= best["score"]["value"]
    assert PROVED.fullmatch(best["proof"]) and best["why"] == "There is no champion yet."

    said = refused("promote", "tiny")
    assert "a loss of up to" in said and "--force" in said
    assert graph.tracking.champion("tiny") == "1"
    done("promote", "tiny", "--force", "--reason", "a trial [bold]")
    aliases = graph.tracking.aliases("tiny")
    assert (aliases.champion, aliases.challenger) == ("2", None)
    assert json.loads(done("predict", "tiny", "good warm film", "--json"))["label"] in ("good", "bad")

    assert "is the champion already" in refused("rollback", "tiny", "--to", "2")
    assert "there is no such version" in refused("rollback", "tiny", "--to", "9")
    assert "version 1 is the champion; before it was version 2." in done("rollback", "tiny", "--reason", "it was worse")
    assert json.loads(done("predict", "tiny", "good warm film", "--json"))["label"] == "good"
    assert "no champion before this one is known" in refused("rollback", "tiny")
    assert [(c.kind, c.version, c.before) for c in aliases.history()] == [
        ("promotion", "1", None),
        ("promotion", "2", "1"),
        ("rollback", "1", "2"),
    ]
    table = done("versions", "tiny")
    for words in ("champion", "a trial [bold]", "it was worse", "rollback: version 1 in the place of version 2"):
        assert words in table

    place = graph.tracking.store.client.get_model_version_download_uri("tiny", "2")
    shutil.rmtree(place.removeprefix("file://"))
    assert "the files of version 2 are gone" in refused("promote", "tiny", "--version", "2", "--force")
    assert graph.tracking.champion("tiny") == "1"


def test_what_was_rolled_back_from_stays_so_until_somebody_promotes_it(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    assert graph.run().success
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    assert metadata(graph.run(), "deployed_artifact")["alias"] == "champion"
    roll_back("tiny", None, reason="it swore", tracking=graph.tracking)
    aliases = graph.tracking.aliases("tiny")
    assert aliases.champion == "1"

    again = graph.run()
    assert remade(again) == set()
    found = metadata(again, "deployed_artifact")
    assert (found["version"], found["alias"]) == ("2", "challenger")
    assert "was rolled back from" in found["not promoted because"] and "it swore" in found["not promoted because"]
    assert (aliases.champion, aliases.challenger) == ("1", "2")

    change = promote(
        "tiny",
        None,
        reason=None,
        force=False,
        artifacts=graph.artifacts,
        tracking=graph.tracking,
    )
    assert (change.version, change.before, aliases.challenger) == ("2", "1", None)
    assert metadata(graph.run(), "deployed_artifact")["alias"] == "champion"
    # The other way round the very comparison speaks against it.
    with pytest.raises(ValueError, match="a loss of up to"):
        promote(
            "tiny",
            "1",
            reason=None,
            force=False,
            artifacts=graph.artifacts,
            tracking=graph.tracking,
        )


def test_an_alias_that_was_moved_back_in_mlflow_is_not_moved_forth_by_the_next_run(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    assert graph.run().success
    write_recipe(base=tiny_bert, **FULL, training=LEARNING, evaluation=EASY)
    assert graph.run().success
    graph.tracking.store.client.set_registered_model_alias("tiny", "champion", "1")
    assert metadata(graph.run(), "deployed_artifact")["alias"] == "challenger"
    assert [(c.kind, c.version) for c in graph.tracking.aliases("tiny").history()] == [
        ("promotion", "1"),
        ("promotion", "2"),
        ("found", "1"),
    ]


def test_a_version_that_the_registry_does_not_hand_back_as_it_was_is_deleted(
    graph, tiny_bert, write_recipe, monkeypatch
):
    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    first = graph.run()
    artifact = graph.artifacts.open("deployed_artifact", metadata(first, "deployed_artifact")["digest"])
    registry, run_id = graph.tracking.registry, graph.mlflow_runs(first)[0].info.run_id

    def registered(change) -> str:
        package = shutil.copytree(artifact.folder / "package", graph.project / "changed")
        for path in package.rglob("*"):
            path.chmod(0o755)
        change(package)
        version = registry.register(package, "tiny", run_id, {"luthier.digest": artifact.digest}, {})
        shutil.rmtree(package)
        return version

    def flip(package: Path) -> None:
        weights = package / "artifacts" / "model" / "model.safetensors"
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)

    for change in (flip, lambda p: (p / "extra").touch(), lambda p: (p / "requirements.txt").unlink()):
        version = registered(change)
        with pytest.raises(ParityError, match="other files"):
            prove(artifact, "tiny", version, graph.tracking)
        assert [found.version for found in registry.versions("tiny")] == ["1"]

    # A version that a run left unproved is proved by the next, and not registered twice.
    graph.tracking.store.client.delete_model_version_tag("tiny", "1", PROOF_TAG)
    proof = metadata(graph.run(), "deployed_artifact")["parity"][-1]
    assert PROVED.fullmatch(proof)
    assert [found.tags[PROOF_TAG] for found in registry.versions("tiny")] == [proof]


def test_no_alias_moves_where_a_proof_fails(graph, tiny_bert, write_recipe, monkeypatch):
    from resources import package, scoring_server

    started = scoring_server.serve_package

    def started_on_another(folder: Path) -> Any:
        other = shutil.copytree(folder, graph.project / "other")
        code = other / "code" / "luthier" / "packaging" / "serving.py"
        code.write_text(code.read_text().replace("evidence.max()}", "evidence.max() - 0.001}"))
        return started(other)

    loaded = package.load_package

    def loaded_with_rounding(folder: Path) -> Predict:
        def predict(rows: pa.Table, how: Inference) -> Predictions:
            found = loaded(folder)(rows, how)
            return Predictions(found.answers, [evidence * (1 + 1e-6) for evidence in found.evidence])

        return predict

    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    with monkeypatch.context() as changed:
        changed.setattr(package, "load_package", loaded_with_rounding)
        failed = graph.run()
        assert not failed.success and "packaged against merged model does not answer" in failure(failed)
    with monkeypatch.context() as changed:
        changed.setattr(scoring_server, "serve_package", started_on_another)
        failed = graph.run()
        assert not failed.success and "the served model does not answer as its reference" in failure(failed)
    assert graph.tracking.registry.versions("tiny") == []
    assert not [path for path in (graph.artifacts.root / "deployed_artifact").iterdir() if path.suffix == ""]
    assert graph.run().success
    assert graph.tracking.champion("tiny") == "1"


def test_a_version_carries_its_card_signature_example_and_pinned_requirements(graph, tiny_bert, write_recipe):
    import mlflow

    write_recipe(base=tiny_bert, **FULL, training=IDLE, evaluation=EASY)
    made = graph.run("training.learning_rate=1.0e-8", select=up_to("evaluation_report"))
    result = graph.run(select="deployed_artifact")
    assert result.success, failure(result)
    version = graph.tracking.store.client.get_model_version("tiny", "1")
    with graph.tracking.registry.files("tiny", "1") as folder:
        info = mlflow.models.get_model_info(str(folder))
        assert info.signature.inputs.input_names() == ["text"]
        assert info.saved_input_example_info is not None
        assert all("==" in line for line in (folder / "requirements.txt").read_text().splitlines())
        card = (folder / "README.md").read_text()
    for heading in ("## Scores", "## License", "## Data", "## Method", "## Limits", "## Digests"):
        assert f"\n{heading}\n" in card
    # What was trained with, and not what the file of the recipe says.
    assert "| training.learning\\_rate | 1e-08 |" in card
    assert version.description.startswith("# tiny\n") and len(version.description) <= 5000
    report = metadata(made, "evaluation_report")
    assert version.tags["luthier.evaluation_report"] == report["digest"]
    for asset in ("raw_data", "cleaned_splits", "base_model", "quantized_model", "hyperparameters", "adapter"):
        assert version.tags[f"luthier.{asset}"] == metadata(made, asset)["digest"]
        assert metadata(made, asset)["digest"] in card
    assert "luthier.tuning_study" not in version.tags
