"""What every target answers: whether it can be had, how it is written, and the proof that it answers the same."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from luthier.recipe.section import Section
from luthier.tasks.head import HeadKind

if TYPE_CHECKING:
    import pyarrow as pa

    from luthier.methods import AnyMethod
    from luthier.packaging.parity import Parity
    from luthier.packaging.serving import Serving
    from luthier.tasks.task import Predictions

# transformers' names of the files that hold a model's weights.
WEIGHTS: Final = (".safetensors", ".safetensors.index.json")


@dataclass(frozen=True)
class ProvenModel:
    """A model that answers as the trained one did, which a target has to do as well.

    ``folder`` is of ``write_servable``; ``expected`` is what the trained model answers to ``rows`` of the validation
    split; ``tolerance`` bounds their evidence. ``base`` and ``tuned`` are the artifacts it was made of, ``card`` is the
    model card.
    """

    name: str
    folder: Path
    serving: "Serving"
    rows: "pa.Table"
    expected: "Predictions"
    tolerance: float
    base: Path
    tuned: Path
    card: str

    def answers(self, model: Any, tokenizer: Any) -> "Predictions":
        """What another form of the model answers to the rows."""
        from luthier.tasks import TASKS

        how = self.serving.inference(generated_rows=len(self.rows))
        found = TASKS[self.serving.task].predict(model, tokenizer, self.rows, self.serving.head, how)
        return self.serving.calibration.applied(found, self.serving.head)

    def require_parity(self, form: str, received: "Predictions") -> "Parity":
        """Raises a ParityError unless these are the expected answers."""
        from luthier.packaging.parity import require_parity

        return require_parity(
            form,
            self.serving.head,
            self.expected,
            received,
            tolerance=self.tolerance,
            calibration=self.serving.calibration,
        )

    def copy_without_weights(self, folder: Path) -> None:
        """Configuration and tokenizer."""
        import shutil

        for path in self.folder.iterdir():
            if path.is_file() and not path.name.endswith(WEIGHTS):
                shutil.copyfile(path, folder / path.name)


class Target(Section, ABC):
    """A form that a deployed model is written in, with its settings.

    ``heads`` are the kinds of model it can hold, ``families`` transformers' names of the families; empty is any.
    """

    title: ClassVar[str]
    heads: ClassVar[tuple[HeadKind, ...]]
    families: ClassVar[tuple[str, ...]] = ()

    def refusal(self, method: "AnyMethod", heads: Collection[HeadKind], *, public_base: bool) -> str | None:
        """Why no recipe with this method and one of these heads can have it; None where it may.

        ``public_base``: the base model has a source, and is no other recipe's champion.
        """
        if not set(heads) & set(self.heads):
            return f"{self.title} is for {_kinds(self.heads)}, not for {_kinds(heads)}"
        return self.method_refusal(method, public_base=public_base)

    @abstractmethod
    def method_refusal(self, method: "AnyMethod", *, public_base: bool) -> str | None:
        """Why a model of this method cannot have it."""

    def base_refusal(self, family: str, head: HeadKind) -> str | None:
        """Why a base model of this family, with the head that it has for the task, cannot have it."""
        if head not in self.heads:
            return f"{self.title} is for {_kinds(self.heads)}, not for the {_kinds([head])} that {family} is"
        if self.families and family not in self.families:
            return f"{self.title} is for models of type {', '.join(self.families)}, not {family}"
        return None

    def require(self, model: Path) -> None:
        """Raises a ModelError for what a model folder, or what is installed, rules out; asked before training."""

    @abstractmethod
    def write(self, model: ProvenModel, folder: Path) -> None:
        """Writes the target into an empty folder."""

    @abstractmethod
    def prove(self, model: ProvenModel, folder: Path) -> Mapping[str, Any]:
        """Loads what was written, compares its answers, and says what was measured.

        Raises:
            ParityError: it does not answer as it has to.
        """


KINDS: Final[Mapping[HeadKind, str]] = {
    "sequence-classification": "classification",
    "token-classification": "token classification",
    "question-answering": "question answering",
    "causal-lm": "decoders that generate text",
    "seq2seq-lm": "encoder-decoders that generate text",
}


def _kinds(heads: Collection[HeadKind]) -> str:
    return ", ".join(KINDS[head] for head in KINDS if head in heads)
