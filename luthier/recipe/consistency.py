"""Fields of a recipe held against each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from luthier.methods import AnyMethod
from luthier.packaging.targets import TARGETS
from luthier.recipe.data_section import DataSection
from luthier.recipe.deploy_section import DeploySection
from luthier.recipe.problems import NOTHING, Places, Problem
from luthier.recipe.schema import BaseModelSection, EvaluationSection, TrainingSection
from luthier.tasks import Task

STRATIFIABLE = "single"
CLASSED = ("single", "multi")
NAMELESS = ("number", "text", "answers")


def default_split(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """What ``data.split.by`` is where the recipe is silent, and the field that decides; None: the general default."""
    columns = data.get("columns")
    named = columns if isinstance(columns, dict) else {}
    if "train" in data:
        return "given", "data.train"
    for column, by in (("split", "given"), ("time", "time"), ("group", "group")):
        if column in named:
            return by, f"data.columns.{column}"
    return None if data.get("label_kind", STRATIFIABLE) == STRATIFIABLE else ("random", "data.label_kind")


def data_problems(data: DataSection, places: Places) -> list[Problem]:
    """What one field says that another contradicts."""
    return [places.problem(f"data.{field}", received, rule) for field, received, rule in _contradictions(data)]


def _contradictions(data: DataSection) -> Iterator[tuple[str, object, str]]:
    yield from _of_sources(data)
    yield from _of_columns(data)
    yield from _of_split(data)
    if data.labels is not None and data.label_kind in NAMELESS:
        yield "labels", data.labels, f"means nothing for label_kind {data.label_kind}"
    if data.label_map is not None and data.label_kind in (*NAMELESS, "spans"):
        yield "label_map", data.label_map, f"means nothing for label_kind {data.label_kind}"
    if data.balance != "none" and data.label_kind != "single":
        yield "balance", data.balance, "needs label_kind single"


def _of_sources(data: DataSection) -> Iterator[tuple[str, object, str]]:
    given = {split: getattr(data, split) for split in ("train", "validation", "test")}
    named = [split for split, source in given.items() if source is not None]
    if data.source is None and not named:
        yield "source", NOTHING, "is required, or train and test"
    if data.source is not None and named:
        yield named[0], given[named[0]], "stands instead of source; leave one of them out"
    if data.source is None and named:
        yield from ((split, NOTHING, "is required without source") for split in ("train", "test") if not given[split])
    uris = data.uris
    if data.sha256 is not None and len(uris) > 1:
        yield "sha256", data.sha256, "is of a single source; with several, end each URI in #sha256=..."
    asks = [uri.startswith("sql://") for uri in uris]
    if data.query is None and any(asks):
        yield "query", NOTHING, "is required for a sql:// source"
    if data.query is not None and uris and not any(asks):
        yield "query", data.query, "needs a sql:// source"


def _of_columns(data: DataSection) -> Iterator[tuple[str, object, str]]:
    columns, kind = data.columns, data.label_kind
    if columns.text is None:
        yield from _of_conversations(data)
        return
    if columns.label is None:
        yield "columns.label", NOTHING, "is required with columns.text"
    if columns.messages is not None:
        yield "columns.messages", columns.messages, "stands instead of text and label; leave it or them out"
    if columns.pair is None and kind == "answers":
        yield "columns.pair", NOTHING, "is required for label_kind answers: the question asked of the text"
    if columns.pair is not None and kind in ("spans", "tags", "text"):
        yield "columns.pair", columns.pair, f"means nothing for label_kind {kind}"
    if columns.answer_start is not None and kind != "answers":
        yield "columns.answer_start", columns.answer_start, "needs label_kind answers"


def _of_conversations(data: DataSection) -> Iterator[tuple[str, object, str]]:
    """Without a text, rows are conversations, which hold the text to be generated."""
    columns = data.columns
    beside = [field for field in ("pair", "label", "answer_start") if getattr(columns, field) is not None]
    if beside and columns.messages is None:
        yield "columns.text", NOTHING, f"is required with columns.{beside[0]}"
    elif beside:
        yield f"columns.{beside[0]}", getattr(columns, beside[0]), "means nothing with columns.messages"
    elif data.label_kind != "text" and columns.messages is not None:
        yield "columns.messages", columns.messages, "needs label_kind text"
    elif data.label_kind != "text":
        field = "columns.text" if columns.model_fields_set else "columns"
        yield field, NOTHING, "is required; rows without a text are conversations, of label_kind text"


def _of_split(data: DataSection) -> Iterator[tuple[str, object, str]]:
    by, columns = data.split.by, data.columns
    if by == "stratified" and data.label_kind != STRATIFIABLE:
        yield "split.by", by, f"needs label_kind {STRATIFIABLE}"
    for needed in ("group", "time"):
        if by == needed and getattr(columns, needed) is None:
            yield "split.by", by, f"needs data.columns.{needed}"
    if by == "given" and data.train is None and columns.split is None:
        yield "split.by", by, "needs data.train and data.test, or data.columns.split"
    if by != "given" and (data.train is not None or columns.split is not None):
        yield "split.by", by, "must be given where the source says the split"
    if columns.time is not None and by != "time":
        yield "columns.time", columns.time, "is used by data.split.by: time alone"


def base_model_problems(base: BaseModelSection, places: Places) -> list[Problem]:
    """A base model that is named twice or not at all, or what is said of one that is named otherwise."""
    found: list[tuple[str, object, str]] = []
    if base.source is None and base.adapter_of is None:
        found.append(("source", NOTHING, "is required, or adapter_of"))
    if base.source is not None and base.adapter_of is not None:
        found.append(("adapter_of", base.adapter_of, "stands instead of source; leave one of them out"))
    if base.adapter_of is None and base.continued != "merged":
        found.append(("continued", base.continued, "is of a champion; it needs adapter_of"))
    if base.adapter_of is not None and base.sha256 is not None:
        found.append(("sha256", base.sha256, "is of a source; a champion is verified by its own digests"))
    return [places.problem(f"base_model.{field}", received, rule) for field, received, rule in found]


def gate_problems(evaluation: EvaluationSection, task: Task, label_kind: str, places: Places) -> list[Problem]:
    """What the gate asks of every label, or of probabilities, where the task's answers are no classes."""
    if task.head((), label_kind, encoder_decoder=False).problem not in (None, "regression"):
        return []
    asked = {name: getattr(evaluation.gate, name) for name in ("label_f1", "calibration_error")}
    rule = f"needs a label, or labels, for each text: label_kind {' or '.join(CLASSED)}"
    return [
        places.problem(f"evaluation.gate.{name}", limit, f"{rule} of text-classification")
        for name, limit in asked.items()
        if limit is not None
    ]


def method_problems(
    method: AnyMethod, training: TrainingSection, base: BaseModelSection | None, places: Places
) -> list[Problem]:
    """What the method says that its other settings, the training or the base model contradict."""
    found: list[tuple[str, object, str]] = [
        (f"method.{each.field}", each.received, each.rule) for each in method.contradictions()
    ]
    if training.activation_checkpointing and not method.supports_activation_checkpointing:
        rule = f"{method.kind} cannot recompute activations; lower batch_size and raise gradient_accumulation instead"
        found.append(("training.activation_checkpointing", True, rule))
    if base is not None and base.continued == "adapter" and method.trains_base:
        rule = f"{method.kind} has no adapter to go on from; use merged"
        found.append(("base_model.continued", base.continued, rule))
    quantization = method.base_quantization
    if quantization is not None and training.precision not in ("auto", quantization.compute_dtype):
        rule = f"contradicts method.quantization.compute_dtype, {quantization.compute_dtype}; leave it out"
        found.append(("training.precision", training.precision, rule))
    return [places.problem(*each) for each in found]


def deploy_problems(
    deploy: DeploySection,
    task: Task | None,
    label_kind: str | None,
    method: AnyMethod,
    base: BaseModelSection | None,
    places: Places,
) -> list[Problem]:
    """Targets that no model of the task or of the method can have, and settings of targets that are not asked for."""
    found = [
        places.problem(f"deploy.{name}", NOTHING, f"means nothing while deploy.targets lacks {name}")
        for name, target in TARGETS.items()
        if name not in deploy.targets and getattr(deploy, name) != target()
    ]
    if task is None or label_kind not in task.label_kinds:
        return found
    heads = {task.head((), label_kind, encoder_decoder=both).kind for both in (False, True)}
    public_base = base is None or base.adapter_of is None
    for name, target in deploy.beside_package.items():
        if rule := target.refusal(method, heads, public_base=public_base):
            place = f"deploy.targets.{deploy.targets.index(name)}"
            found.append(places.problem(place, name, rule))
    return found
