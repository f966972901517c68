"""A packaged model as a registered version: proved before an alias points at it, and taken away again if it is not."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import dagster as dg

from assets.incumbent import RegisteredChampion
from luthier.digest import folder_digests
from luthier.errors import LuthierError, ParityError
from resources.artifact_store import Artifact
from resources.model_aliases import REASON_TAG
from resources.tracking import ADAPTER_TAG, DIGEST_TAG, PROOF_TAG, REPORT_TAG, SCORE_TAG, Tracking

if TYPE_CHECKING:
    from luthier.evaluation.promotion import Promotion
    from luthier.evaluation.report import EvaluationReport
    from luthier.packaging.parity import Parity

# Of a version that did not become champion when it was registered.
CHALLENGER_REASON_TAG = "luthier.not_promoted_because"


@dataclass(frozen=True)
class Registered:
    """A version; ``reused`` says whether it was there before, ``proof`` how it came back from the registry."""

    version: str
    reused: bool
    proof: str


@dataclass(frozen=True)
class Registration:
    """What is registered, as whose model, because of what."""

    artifact: Artifact
    report: "EvaluationReport"
    decision: "Promotion"
    over: RegisteredChampion | None
    model: str

    @property
    def reason_tag(self) -> dict[str, str]:
        name = REASON_TAG if self.decision.alias == "champion" else CHALLENGER_REASON_TAG
        return {name: self.decision.reason}

    @property
    def tags(self) -> dict[str, str]:
        """What a version is made of, by the digest of each artifact; its score; and why it was registered."""
        report, inputs = self.report, self.artifact.manifest["inputs"]
        score = {"metric": report.metric, "confidence": report.corrected_confidence, **asdict(report.deciding)}
        return {
            DIGEST_TAG: self.artifact.digest,
            ADAPTER_TAG: inputs["adapter"],
            REPORT_TAG: inputs["evaluation_report"],
            **{f"luthier.{name}": digest for name, digest in report.digests.items()},
            SCORE_TAG: json.dumps(score),
            **self.reason_tag,
        }


def register(given: Registration, context: dg.AssetExecutionContext, tracking: Tracking, *, by: str) -> Registered:
    """The proved version of this artifact, with its alias.

    Raises:
        LuthierError: the registry hands back something else than was registered, or the champion has changed since.
    """
    model, artifact = given.model, given.artifact
    version = tracking.find_version(model, artifact.digest)
    reused = version is not None
    with tracking.parent(context.run_id, context.partition_key) as parent:
        if version is None:
            from luthier.packaging.model_card import card_summary

            version = tracking.register_model(
                artifact.folder / "package",
                name=model,
                mlflow_run_id=parent.required_run_id(),
                tags={
                    **given.tags,
                    "luthier.recipe": context.partition_key,
                    "luthier.dagster_run_id": context.run_id,
                },
                metrics={"test_score": given.report.deciding.value},
                description=card_summary((artifact.folder / "README.md").read_text()),
            )
        proof = tracking.version_tags(model, version).get(PROOF_TAG) or prove(artifact, model, version, tracking)
        context.log.info(proof)
        move_alias(given, version, tracking, by=by)
        parent.set_tags({"luthier.model_version": f"{model} {version}", "luthier.deployed_artifact": artifact.digest})
        parent.log_artifact(artifact.folder / "README.md", "model_card")
    again = " (registered before)" if reused else ""
    context.log.info(f"{model} version {version} is the {given.decision.alias}{again}: {given.decision.reason}")
    return Registered(version, reused, proof)


def prove(artifact: Artifact, model: str, version: str, tracking: Tracking) -> str:
    """Marks a version that comes back from the registry as it was registered; one that does not is deleted."""
    try:
        proof = str(registered_parity(artifact, model, version, tracking))
    except LuthierError as error:
        if isinstance(error, ParityError):
            tracking.registry.delete(model, version)
        raise
    except Exception as error:
        tracking.registry.delete(model, version)
        what = f"the registry hands back a {model} version {version} that does not answer; the version was deleted"
        raise ParityError(what, received=f"{type(error).__name__}: {error}") from error
    tracking.registry.tag_version(model, version, {PROOF_TAG: proof})
    return proof


def registered_parity(artifact: Artifact, model: str, version: str, tracking: Tracking) -> "Parity":
    """What the registry hands back has the same bytes, loads, and answers as the served package did."""
    from luthier.packaging.answers import KeptAnswers
    from resources.package import ask_package

    with tracking.registry.files(model, version) as folder:
        files, received = artifact.manifest["files"], folder_digests(folder)
        wanted = {name.removeprefix("package/"): files[name] for name in files if name.startswith("package/")}
        if other := sorted(name for name in wanted.keys() | received.keys() if wanted.get(name) != received.get(name)):
            raise ParityError(
                f"the registry hands back other files than were registered as {model} version {version}",
                received=other,
                remedy="the version was deleted; look at the disk of MLflow's artifacts, then run it again",
            )
        kept = KeptAnswers.read(artifact.folder / "answers.json")
        return kept.require("registered", ask_package(folder))


def move_alias(given: Registration, version: str, tracking: Tracking, *, by: str) -> None:
    """The one step by which others see the version; it is done last."""
    aliases = tracking.aliases(given.model)
    if given.decision.alias == "champion":
        over = given.over.version if given.over else None
        aliases.promote(version, over=over, reason=given.decision.reason, by=by)
    else:
        tracking.registry.tag_version(given.model, version, given.reason_tag)
        aliases.challenge(version, by=by)
