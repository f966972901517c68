"""What a round of tuning costs, in full trainings of the same recipe.

python benchmarks/tuning_cost.py [RECIPE] [--trials N] [--set FIELD=VALUE]...

Trains the recipe once, then runs one round of N trials over its space, both through the shipped jobs and in this order,
in a home of their own.
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import dagster as dg

from luthier.tuning.report import read_study
from pipelines.launch import launch
from pipelines.results import newest
from resources.artifact_store import MANIFEST, recorded_value
from resources.home import luthier_home, prepare_home

MOST = 4.0


def seconds_of(asset: str, recipe: str) -> tuple[float, Path]:
    """How long the library worked on the newest artifact of an asset, and its folder."""
    with dg.DagsterInstance.get() as instance:
        record = newest(instance, asset, recipe)
    assert record is not None
    folder = luthier_home() / "artifacts" / asset / recorded_value(record, "digest")
    began, ended = json.loads((folder / MANIFEST).read_text())["library_time"]
    return ended - began, folder


def measure(recipe: str, trials: int, given: list[str]) -> None:
    """Prints the cost of a round, and what came of it."""
    for job in ("finetune", "retune"):
        ended = launch(recipe, job=job, overrides=[*given, f"tuning.trials={trials}"])
        if not ended.success:
            raise SystemExit("\n".join(ended.failures))
        if job == "finetune":
            once, _ = seconds_of("adapter", recipe)
    study, folder = seconds_of("tuning_study", recipe)
    found = read_study(folder)
    made = [trial for trial in found.trials if trial.seconds > 0]
    states = {state: sum(trial.state == state for trial in made) for state in ("complete", "pruned", "failed")}
    own = found.trials[0].score
    print(f"{recipe}: one training {once:.0f} s, {len(made)} trials {study:.0f} s: {study / once:.2f} trainings")
    print(f"trials: {states}; validation {found.metric}: own values {own:.4f}, best {found.best.score:.4f}")
    print(f"best: {found.best.values}")
    if len(made) == 12 and study > MOST * once:
        raise SystemExit(f"above {MOST:g} trainings")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", nargs="?", default="reviews")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["LUTHIER_HOME"] = os.environ.get("LUTHIER_BENCHMARK_HOME", home)
        prepare_home()
        measure(given.recipe, given.trials, given.set)
