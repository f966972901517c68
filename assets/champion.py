"""Another recipe's champion, as a model to start from."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from assets.incumbent import registered_champion
from luthier.errors import LuthierError
from luthier.sources import Fetched
from resources.artifact_store import Artifact, ArtifactStore
from resources.recipe_book import RecipeBook
from resources.tracking import Tracking

# The adapter that a training goes on from, in the folder of a base model.
CONTINUED = "adapter"


@dataclass(frozen=True)
class Champion:
    """A registered version, and the artifacts it was made of."""

    recipe: str
    model: str
    version: str
    deployed: Artifact
    adapter: Artifact
    base_model: Artifact

    @property
    def lineage(self) -> dict[str, str]:
        """Where a model that starts from it comes from; the license of its base is that of what is made of it."""
        base = self.base_model.facts["provenance"]
        return {
            "adapter_of": self.recipe,
            "champion": f"{self.model} version {self.version}",
            "deployed_artifact": self.deployed.digest,
            "adapter": self.adapter.digest,
            **{f"base_{name}": value for name, value in base.items()},
            **({"license": base["license"]} if "license" in base else {}),
        }

    def snapshot(self, continued: str, artifacts: ArtifactStore) -> Artifact:
        """A base model made of it: all merged to one, or its own base with its ``adapter`` to be trained on."""
        from luthier.models.snapshot import write_base_model

        merged = continued == "merged"
        if merged and not self.deployed.facts["merged"]:
            raise LuthierError(
                "the champion's method cannot be merged",
                where=f"recipe {self.recipe}",
                remedy="set base_model.continued to adapter",
            )
        folder = self.deployed.folder / "package" / "artifacts" / "model" if merged else self.base_model.folder
        source = Fetched(folder, f"champion of {self.recipe}", self.deployed.digest, self.lineage, ())

        def write(target: Path) -> None:
            write_base_model(source, target)
            if not merged:
                shutil.copytree(self.adapter.folder, target / CONTINUED)

        inputs = {"deployed_artifact": self.deployed.digest, "continued": continued}
        return artifacts.obtain("base_model", inputs, write)


def champion_of(recipe: str, recipes: RecipeBook, artifacts: ArtifactStore, tracking: Tracking) -> Champion:
    """The champion of another recipe, which overrides given for this launch do not touch.

    Raises:
        LuthierError: there is none, or what it was made of is gone.
    """
    model = RecipeBook(folder=recipes.folder).get(recipe).model_name
    champion = registered_champion(model, artifacts, tracking)
    if champion is None or champion.deployed is None:
        raise LuthierError(
            "no champion to start from",
            where=f"recipe {recipe}",
            remedy=f"run it until it deploys: luthier run {recipe}",
        )
    deployed = artifacts.open("deployed_artifact", champion.deployed)
    adapter = artifacts.open("adapter", deployed.manifest["inputs"]["adapter"])
    base = artifacts.open("base_model", adapter.manifest["inputs"]["base_model"])
    return Champion(recipe, model, champion.version, deployed, adapter, base)
