"""What trainings were expected to need of memory, and what they used: every shipped recipe, or those named.

    python benchmarks/memory_estimate.py [RECIPE]...

One epoch of each, in the LUTHIER_HOME there is; the peak is reached once every length of a row has come.
"""

import sys

import dagster as dg

from pipelines.launch import launch, upstream_of
from pipelines.results import newest
from resources.artifact_store import ArtifactStore, recorded_value
from resources.home import luthier_home, prepare_home, recipes_folder
from resources.recipe_book import recipe_names


def measured(recipe: str) -> tuple[int, int]:
    """Bytes that were expected, and that were used at the peak."""
    ended = launch(recipe, overrides=["training.epochs=1"], selection=upstream_of("adapter"))
    if not ended.success:
        raise SystemExit("\n".join(ended.failures))
    with dg.DagsterInstance.get() as instance:
        made = newest(instance, "adapter", recipe)
    facts = ArtifactStore(home=str(luthier_home())).open("adapter", recorded_value(made, "digest")).facts
    return facts["estimate"]["memory_bytes"], facts["peak_memory"]


def main() -> None:
    prepare_home()
    found = {recipe: measured(recipe) for recipe in sys.argv[1:] or recipe_names(recipes_folder())}
    print("\n| recipe | expected | used | expected over used |\n|---|---|---|---|")
    for recipe, (expected, used) in found.items():
        print(f"| `{recipe}` | {expected / 1e6:,.0f} MB | {used / 1e6:,.0f} MB | {expected / used:.2f} |")


if __name__ == "__main__":
    main()
