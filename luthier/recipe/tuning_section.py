"""How hyperparameters are searched when a model falls short."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, WithJsonSchema

from luthier.recipe.section import Address, Name, Section, Seed

VALUES: Final = {"type": "array", "items": {}, "minItems": 1}
# Held against the method and the training by ``luthier.recipe.search_space``.
SearchEntry = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                VALUES,
                {
                    "type": "object",
                    "properties": {
                        "low": {"type": "number"},
                        "high": {"type": "number"},
                        "log": {"type": "boolean"},
                        "choices": VALUES,
                        "when": {"type": "object", "additionalProperties": VALUES},
                    },
                    "additionalProperties": False,
                },
            ]
        }
    ),
]


class TuningSection(Section):
    """How hyperparameters are searched: by hand with `luthier tune`, or by itself when a report falls short."""

    automatic: bool = Field(
        default=True,
        description="Whether a report that falls short starts a round by itself; without a section `tuning` none does.",
    )
    trials: int | None = Field(
        default=12, ge=1, le=10_000, description="Trials of one round; null leaves the end to max_hours."
    )
    rounds: int = Field(default=3, ge=1, le=100, description="Rounds for the same data, at most.")
    max_hours: float | None = Field(
        default=None, gt=0, le=10_000, description="Hours of all rounds for the same data, at most."
    )
    min_improvement: float | None = Field(
        default=0.0,
        ge=0,
        le=1e9,
        description="A round that improves the validation score by no more than this is the last; null: never.",
    )
    sampler: Literal["tpe", "random", "grid", "cmaes", "gp"] = Field(
        default="tpe", description="What suggests values: TPE (Watanabe 2023, arXiv 2304.11127) or another of Optuna's."
    )
    pruner: Literal["successive_halving", "hyperband", "median", "none"] = Field(
        default="successive_halving",
        description="What ends trials early: ASHA (Li et al. 2018, arXiv 1810.05934) or another of Optuna's.",
    )
    seed: Seed = Field(default=17, description="Seed of the sampler; trials train with training.seed.")
    space: dict[Name, SearchEntry] = Field(
        default={},
        description="What is searched, by field of method or training: values, or `{low, high, log}`, or `{choices}`; "
        "`when: {FIELD: values}` searches only where another searched field has one of these; empty: the method's own.",
    )
    storage: Address | None = Field(
        default=None, description="SQLAlchemy URL of the studies' database; null is a file in LUTHIER_HOME."
    )
