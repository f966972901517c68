"""What a recipe may say. Everything but task, data and base_model has a default that is good for the method."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from luthier.data.expression import Expression
from luthier.errors import DataError
from luthier.methods import Method
from luthier.methods.lora import Lora

Sha256 = Field(default=None, pattern="^[0-9a-f]{64}$", description="SHA-256 of the wheel or file; enforced if given.")


class Section(BaseModel):
    """A part of a recipe: unknown keys are refused, nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Columns(Section):
    """Where the text and the label of a row are."""

    text: str = Field(min_length=1, description="The column that holds the text.")
    label: str = Field(min_length=1, description="A column, or an expression over columns such as 'sentiment > 0'.")

    @field_validator("label")
    @classmethod
    def _label_parses(cls, text: str) -> str:
        try:
            Expression.parse(text)
        except DataError as error:
            raise ValueError(f"{error.what}; {error.remedy}") from None
        return text


class Split(Section):
    """How rows are divided into train, validation and test."""

    test: float = Field(default=0.15, gt=0, lt=1, description="Share of rows for the test split.")
    validation: float = Field(default=0.15, gt=0, lt=1, description="Share of rows for validation.")
    by: Literal["random"] = Field(default="random", description="What decides a row's split.")
    stratify: Literal["label"] | None = Field(default="label", description="Keep the shares of this in every split.")
    seed: int = Field(default=17, ge=0, lt=2**32, description="Seed of the division and of sampling.")

    @model_validator(mode="after")
    def _leaves_rows_to_train_on(self) -> Self:
        if self.test + self.validation >= 1:
            raise ValueError(f"test + validation is {self.test + self.validation:g} and must be below 1")
        return self


class DataSection(Section):
    """The rows, and how they become splits."""

    source: str = Field(min_length=1, description="wheel://NAME==VERSION/PATH, file://PATH or a path.")
    sha256: str | None = Sha256
    columns: Columns
    labels: list[str] | None = Field(
        default=None,
        min_length=2,
        description="The label names: the allowed values of a column, or the names for false and true.",
    )
    sample: int | None = Field(default=None, ge=10, description="At most this many rows, drawn after cleaning.")
    split: Split = Split()

    @field_validator("labels")
    @classmethod
    def _labels_differ(cls, labels: list[str] | None) -> list[str] | None:
        if labels and len(set(labels)) < len(labels):
            raise ValueError("label names must differ")
        return labels

    @model_validator(mode="after")
    def _truth_has_two_names(self) -> Self:
        if self.labels and len(self.labels) != 2 and not Expression.parse(self.columns.label).is_column:
            raise ValueError(f"labels names {len(self.labels)} values, but an expression is false or true")
        return self

    @property
    def required_columns(self) -> frozenset[str]:
        return Expression.parse(self.columns.label).columns | {self.columns.text}


class BaseModelSection(Section):
    """The pretrained model."""

    source: str = Field(min_length=1, description="wheel://NAME==VERSION/PATH or a path: a model folder or GGUF file.")
    sha256: str | None = Sha256


class EarlyStopping(Section):
    """When training stops before its last epoch."""

    patience: int = Field(default=2, ge=1, description="Evaluations without improvement before training stops.")
    min_delta: float = Field(default=0.0, ge=0, description="What counts as an improvement of the metric.")


class TrainingSection(Section):
    """How the training loop runs."""

    epochs: float = Field(default=3, gt=0, le=1000, description="Passes over the training rows.")
    batch_size: int = Field(default=32, ge=1, description="Rows per micro-batch.")
    eval_batch_size: int = Field(default=64, ge=1, description="Rows per batch of validation.")
    gradient_accumulation: int = Field(default=1, ge=1, description="Micro-batches per optimizer step.")
    max_length: int = Field(default=128, ge=4, description="Tokens per text; longer texts are cut.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Peak learning rate.")
    scheduler: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        default="linear", description="How the learning rate falls after the warm-up."
    )
    warmup: float = Field(default=0.06, ge=0, lt=1, description="Share of the steps over which the rate rises.")
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's decoupled weight decay.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="Gradients are clipped to this norm.")
    optimizer: Literal["adamw", "paged_adamw", "paged_adamw_8bit"] = Field(
        default="adamw", description="The optimizer; paged ones need a CUDA device and fall back to adamw elsewhere."
    )
    dropout: Literal["adapter", "model"] = Field(
        default="adapter", description="Keep only the adapter's dropout, or also that of the model."
    )
    group_by_length: bool = Field(default=True, description="Batch texts of similar length together.")
    early_stopping: EarlyStopping = EarlyStopping()
    seed: int = Field(default=17, ge=0, lt=2**32, description="Seed of the head, the order of rows and dropout.")
    threads: Literal["auto"] | int = Field(default="auto", description="CPU threads; auto is one per physical core.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="Precision of the products; auto takes bfloat16 where it is fast."
    )

    @field_validator("threads")
    @classmethod
    def _at_least_one_thread(cls, threads: int | str) -> int | str:
        if isinstance(threads, int) and threads < 1:
            raise ValueError("must be auto or at least 1")
        return threads


class EvaluationSection(Section):
    """What is good enough."""

    metric: str = Field(default="accuracy", description="The metric that decides, and picks the best checkpoint.")
    target: float = Field(default=0.8, description="The model is deployed when the test metric reaches this.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Confidence of the intervals.")


class DeploySection(Section):
    """Where the model goes."""

    model: str | None = Field(
        default=None, pattern="^[^/:]+$", description="The registered model's name; the recipe's name by default."
    )


class Recipe(Section):
    """One fine-tuning, declared."""

    task: Literal["text-classification"] = Field(description="What the model learns to do.")
    data: DataSection
    base_model: BaseModelSection
    method: Method = Lora(kind="lora")
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    deploy: DeploySection = DeploySection()
