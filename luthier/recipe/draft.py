"""A recipe on its way to being valid: the file, what was given at launch, the defaults, and the problems so far."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from luthier.methods import METHODS, AnyMethod
from luthier.methods.lora import Lora
from luthier.recipe.consistency import (
    base_model_problems,
    data_problems,
    default_split,
    deploy_problems,
    gate_problems,
    method_problems,
)
from luthier.recipe.data_section import DataSection
from luthier.recipe.deploy_section import DeploySection
from luthier.recipe.positions import MalformedYaml, parse_value, read_document
from luthier.recipe.problems import Places, Problem, RecipeError, nearest
from luthier.recipe.resolving import DEFAULT, LayeredValues, ResolvedRecipe
from luthier.recipe.schema import BaseModelSection, EvaluationSection, Recipe, TrainingSection
from luthier.recipe.search_space import SearchSpace
from luthier.recipe.tuning_section import TuningSection
from luthier.recipe.validation import problems_of, without_errors
from luthier.tasks import TASKS, Task
from luthier.tasks.metric import METRICS, Metric

Model = TypeVar("Model", bound=BaseModel)


class Draft:
    """Collects the problems of one recipe. Each value comes from the first of these that has it:
    the launch, the file, the method or the task, the schema.

    Raises:
        RecipeError: the file is no YAML mapping.
    """

    def __init__(self, path: Path, overrides: Sequence[str]) -> None:
        document = read_document(path)
        self.problems: list[Problem] = list(document.problems)
        self.layers = LayeredValues(document.values)
        # Before and after: a launch may replace the text, or set a time zone beside it.
        self.layers.spell_out("schedule", "cron")
        self._override(overrides)
        self.layers.spell_out("schedule", "cron")
        self.places = Places(path, document.lines, frozenset(self.layers.launched))
        self._refuse_name()
        self._fill_defaults()
        self.recipe = self._validated()
        self._check_task()
        if data := self.data:
            self.add(data_problems(data, self.places))
        if base := self.base_model:
            self.add(base_model_problems(base, self.places))
        if method := self.method:
            self.add(method_problems(method, self.training, self.base_model, self.places))
            if tuning := self._section("tuning", TuningSection):
                self.add(SearchSpace(tuning, method, self.training, self.places).problems)
            if deploy := self.deploy:
                self.add(deploy_problems(deploy, self.task, self.label_kind, method, self.base_model, self.places))

    @property
    def data(self) -> DataSection | None:
        """The section without its mistakes, if that leaves one."""
        return self._section("data", DataSection)

    @property
    def base_model(self) -> BaseModelSection | None:
        """The section without its mistakes, if that leaves one."""
        return self._section("base_model", BaseModelSection)

    @property
    def task(self) -> Task | None:
        """The task, if there is one of that name."""
        return TASKS.get(str(self.layers.values.get("task")))

    @property
    def label_kind(self) -> str | None:
        """The kind of the labels, as the recipe or the task has it."""
        return self.layers.section("data").get("label_kind")

    @property
    def method(self) -> AnyMethod | None:
        """The section without its mistakes, if that leaves one."""
        kind = self._method_kind()
        return None if kind is None else self._section("method", kind)

    @property
    def training(self) -> TrainingSection:
        """The section without its mistakes."""
        return self._section("training", TrainingSection) or TrainingSection()

    @property
    def deploy(self) -> DeploySection | None:
        """The section without its mistakes, if that leaves one."""
        return self._section("deploy", DeploySection)

    def add(self, problems: Sequence[Problem]) -> None:
        """Adds problems of fields that have none yet."""
        known = {problem.field for problem in self.problems}
        self.problems += [problem for problem in problems if problem.field not in known]

    def resolve(self) -> ResolvedRecipe:
        """The recipe.

        Raises:
            RecipeError: with all the problems.
        """
        if self.problems or self.recipe is None:
            raise RecipeError(self.problems)
        origins = self.layers.origins_of(self.recipe)
        return ResolvedRecipe(self.recipe, origins, self.places.path, self.places.lines)

    def _override(self, overrides: Sequence[str]) -> None:
        for text in overrides:
            name, equals, value = text.partition("=")
            if not equals or not all(name.strip().split(".")):
                rule = "must be FIELD=VALUE, such as training.epochs=2"
                self.problems.append(Problem(None, None, "", text, rule))
                continue
            try:
                self.layers.override(name.strip(), parse_value(value))
            except MalformedYaml as error:
                self.problems.append(Problem(None, None, name.strip(), value, error.rule))

    def _refuse_name(self) -> None:
        if "name" in self.layers.values:
            received = self.layers.values.pop("name")
            self.problems.append(self.places.problem("name", received, "unknown key; the file's name is the recipe's"))

    def _fill_defaults(self) -> None:
        self.layers.fill("method", {"kind": Lora().kind}, DEFAULT)
        if method := self._method_kind():
            self.layers.fill("training", method.training_defaults, f"default of {self.layers.values['method']['kind']}")
        if task := self.task:
            origin = f"default of {task.name}"
            self.layers.fill("data", {"label_kind": task.label_kinds[0]}, origin)
            if (kind := self.label_kind) in task.label_kinds:
                self.layers.fill("evaluation", {"metric": task.metrics(str(kind))[0]}, origin)
        if split := default_split(self.layers.section("data")):
            self.layers.fill("data.split", {"by": split[0]}, f"default of {split[1]}")
        self.layers.fill("deploy", {"model": self.places.path.stem}, DEFAULT)

    def _validated(self) -> Recipe | None:
        try:
            return Recipe.model_validate({**self.layers.values, "name": self.places.path.stem})
        except ValidationError as error:
            self.problems += problems_of(error, self.places)
            return None

    def _check_task(self) -> None:
        """Labels must be of a kind that the task trains on, and the metric one that means something for them."""
        task, kind, metric = self.task, self.label_kind, self.layers.section("evaluation").get("metric")
        if task and isinstance(kind, str) and kind not in task.label_kinds:
            rule = f"must be one of {', '.join(task.label_kinds)} for {task.name}"
            self.add([self.places.problem("data.label_kind", kind, rule, nearest(kind, task.label_kinds))])
            kind = None
        valid = valid_metrics([task] if task else list(TASKS.values()), kind if task else None)
        if isinstance(metric, str) and metric not in valid:
            rule = f"must be a metric of {task.name if task else 'some task'}: {', '.join(valid)}"
            self.add([self.places.problem("evaluation.metric", metric, rule, nearest(metric, valid))])
            metric = valid[0]
        if isinstance(metric, str):
            target = self.layers.section("evaluation").get("target", EvaluationSection().target)
            self.add(target_problems(METRICS[metric], target, self.places))
        evaluation = self._section("evaluation", EvaluationSection)
        if task and evaluation and isinstance(kind, str):
            self.add(gate_problems(evaluation, task, kind, self.places))

    def _method_kind(self) -> type[AnyMethod] | None:
        return METHODS.get(str(self.layers.section("method").get("kind")))

    def _section(self, name: str, model: type[Model]) -> Model | None:
        values: Any = self.layers.values.get(name)
        return without_errors(model, values) if isinstance(values, dict) else None


def valid_metrics(tasks: Sequence[Task], label_kind: str | None) -> list[str]:
    """The metrics of some tasks, for labels of one kind or of all."""
    kinds = [(task, kind) for task in tasks for kind in task.label_kinds if label_kind in (None, kind)]
    return list(dict.fromkeys(metric for task, kind in kinds for metric in task.metrics(kind)))


def target_problems(metric: Metric, target: object, places: Places) -> list[Problem]:
    """A target that its metric cannot have."""
    if not isinstance(target, (int, float)) or metric.low <= target <= metric.high:
        return []
    rule = f"must lie between {metric.low:g} and {metric.high:g}, as {metric.title} does"
    return [places.problem("evaluation.target", target, rule)]
