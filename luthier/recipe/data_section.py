"""The ``data`` section of a recipe: where the rows are, how they are cleaned and divided."""

from collections.abc import Collection
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from luthier.data.conversations import conversation_format
from luthier.data.expression import Expression
from luthier.data.plain_text import compiled
from luthier.data.template import Template
from luthier.errors import DataError
from luthier.recipe.section import Address, Name, Section, Seed, Sha256, different

Sources = Address | Annotated[list[Address], Field(min_length=1)]
DataFormat = Literal["csv", "tsv", "json", "jsonl", "parquet", "arrow", "text", "orange"]
LabelKind = Literal["single", "multi", "number", "spans", "tags", "answers", "text"]


class Columns(Section):
    """Where the parts of a row are: a text and its label, or a conversation."""

    text: Name | None = Field(
        default=None,
        description="The column that holds the text, or a template over columns such as '{title}. {body}'.",
    )
    pair: Name | None = Field(
        default=None,
        description="A second text, column or template: the other text of a pair, or the question asked of the text.",
    )
    label: Name | None = Field(
        default=None, description="A column, or an expression over columns such as 'sentiment > 0'."
    )
    answer_start: Name | None = Field(
        default=None,
        description="Where label is an answer: the column with the place of its first character in the text.",
    )
    messages: Name | None = Field(
        default=None,
        description="Instead of text and label: the column with a conversation as OpenAI or ShareGPT write it in JSON.",
    )
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
    slices: Annotated[list[Name], AfterValidator(different)] = Field(
        default=[],
        max_length=20,
        description="Columns that the report scores the test rows by, each value or range apart; no model reads them.",
    )

    @field_validator("label")
    @classmethod
    def _is_an_expression(cls, label: str | None) -> str | None:
        if label is None:
            return None
        try:
            expression = Expression.parse(label)
        except DataError as error:
            raise ValueError("; ".join(part for part in (error.what, error.remedy) if part)) from None
        if not expression.columns:
            raise ValueError("names no column; write it as in 'sentiment > 0'")
        return label

    @field_validator("text", "pair")
    @classmethod
    def _is_a_template(cls, text: str | None) -> str | None:
        try:
            return text and Template.parse(text).text
        except DataError as error:
            raise ValueError("; ".join(part for part in (error.what, error.remedy) if part)) from None

    @property
    def by_field(self) -> dict[str, frozenset[str]]:
        """The columns of the source that each field reads."""
        named = self.model_dump(exclude_none=True, exclude={"slices"})
        found = {field: frozenset({name}) for field, name in named.items()}
        found |= {"slices": frozenset(self.slices)} if self.slices else {}
        found |= {field: Template.parse(named[field]).columns for field in ("text", "pair") if field in named}
        return found | ({} if self.label is None else {"label": Expression.parse(self.label).columns})

    @property
    def required(self) -> frozenset[str]:
        """The columns that the source must have; of a conversation that no field names, its format has more."""
        return frozenset().union(*self.by_field.values())


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
        default=0.1,
        ge=0,
        le=1,
        description="The share of rejected rows above which the check fails; duplicates do not count.",
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
    model: Address | None = Field(
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
    watch: bool = Field(
        default=False, description="Start a run when the sources have new content, while `luthier ui` is up."
    )
    sha256: Sha256 | None = Field(
        default=None,
        description="SHA-256 of a single source, enforced; with several each ends in #sha256=HEX.",
    )
    query: Name | None = Field(default=None, description="What a sql:// source is asked.")
    format: DataFormat | None = Field(default=None, description="The files' form, where the suffix does not tell it.")
    pattern: Name | None = Field(
        default=None,
        description="A regular expression for lines of plain text; its named groups, as in (?P<text>.*), are columns.",
    )
    columns: Columns = Field(
        default=Columns(),
        description="Where the parts of a row are; by default rows are conversations of OpenAI, ShareGPT or Alpaca.",
    )
    label_kind: LabelKind = Field(
        default="single",
        description="One label a row; several; a number; spans of the text, as JSON; a tag for each word; the answers "
        "in the text to the question in pair; or a text to be generated.",
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
        default=None,
        ge=10,
        description="At most this many rows, by label, drawn after cleaning; a given test stays whole.",
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
        label = info.data["columns"].label if "columns" in info.data else None
        if label and len(labels) != 2 and Expression.parse(label).is_boolean:
            raise ValueError(f"must be two names, for false and for true of {label!r}")
        return labels

    def required_columns(self, columns: Collection[str]) -> frozenset[str]:
        """Those that a source with ``columns`` must have. Raises DataError for conversations in no known format."""
        conversation = conversation_format(self.columns, columns)
        return self.columns.required | frozenset(conversation.required if conversation else ())

    @property
    def sources(self) -> dict[str | None, list[str]]:
        """The URIs by the split that the recipe gives them; None for rows that are still to be divided."""
        named = {None: self.source, "train": self.train, "validation": self.validation, "test": self.test}
        return {
            split: [given] if isinstance(given, str) else given for split, given in named.items() if given is not None
        }

    @property
    def uris(self) -> list[str]:
        """All URIs."""
        return [uri for uris in self.sources.values() for uri in uris]

    @property
    def address(self) -> str:
        """All URIs as one text."""
        return ", ".join(self.uris)
