"""`luthier study`, and how a study is seen in Dagster, on a study that Dagster recorded."""

import json
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets.study_description import described_study
from luthier.errors import LuthierError
from luthier.tuning.report import write_study
from pipelines.results import newest_study
from tests.unit.tuning.made_studies import ODD, searched, study_of, trial_result


def recorded(instance: dg.DagsterInstance, folder: Path, study, recipe: str = "tiny") -> None:
    folder.mkdir(parents=True)
    write_study(study, folder)
    metadata = described_study(folder, dg.MetadataValue.url("http://127.0.0.1:5000"))
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset_key="tuning_study", partition=recipe, metadata=metadata)
    )


def test_the_newest_study_of_the_recipe_is_found(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(LuthierError, match="luthier tune tiny"):
            newest_study("tiny", instance)
        newest = searched(12, round=2)
        recorded(instance, tmp_path / "1", searched(12))
        recorded(instance, tmp_path / "2", newest)
        recorded(instance, tmp_path / "3", study_of(trial_result(0, 0.5)), recipe="other")
        assert newest_study("tiny", instance) == (newest, tmp_path / "2" / "study.html")


def test_the_command_prints_the_study_and_for_programs_all_of_it(
    project: Path, tiny_bert: Path, write_recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipelines.cli import app
    from resources.home import prepare_home

    write_recipe(base=tiny_bert)
    monkeypatch.setenv("DAGSTER_HOME", str(project / "home" / "dagster"))
    prepare_home()
    with dg.DagsterInstance.get() as instance:
        recorded(instance, project / "study", searched(12))
    shown = CliRunner().invoke(app, ["study", "tiny"])
    assert shown.exit_code == 0, shown.output
    assert "Best validation accuracy 0.859 in trial 11 of 12" in shown.output
    assert str(project / "study" / "study.html") in shown.output
    printed = json.loads(CliRunner().invoke(app, ["study", "tiny", "--json"]).stdout)
    assert (printed["best"], len(printed["trials"]), printed["metric"]) == (11, 12, "accuracy")


@pytest.mark.parametrize("name", ["12 trials of 5 fields", "one trial without a curve"])
def test_dagster_shows_the_sentence_the_tables_and_each_picture_there_is(name: str, tmp_path: Path) -> None:
    study = ODD[name]()
    write_study(study, tmp_path)
    link = dg.MetadataValue.url("http://127.0.0.1:5000")
    metadata = described_study(tmp_path, link)
    assert metadata["summary"].startswith(("Best validation accuracy", "Only the recipe's"))
    assert metadata["best score"] == study.best.score
    assert len(metadata["trials"].records) == len(study.trials)
    drawn = {key for key, value in metadata.items() if isinstance(value, dg.MarkdownMetadataValue)}
    assert drawn == {path.stem for path in tmp_path.glob("*.png")}
    assert metadata["MLflow run"] is link
    # As Dagster takes it.
    dg.MaterializeResult(asset_key="tuning_study", metadata=metadata)
