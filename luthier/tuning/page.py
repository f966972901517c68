"""A study as one HTML page that loads nothing from outside."""

from pathlib import Path

from luthier.comparison.wording import duration
from luthier.evaluation.page import inline_svg
from luthier.evaluation.page_environment import page_environment
from luthier.evaluation.style import Form
from luthier.evaluation.wording import metric_name
from luthier.tuning.plots import curves_picture, history_picture, importances_picture
from luthier.tuning.result import StudyResult
from luthier.tuning.space_plots import parallel_picture, slices_picture
from luthier.tuning.wording import (
    headline,
    own_trial,
    scope_sentence,
    short_names,
    space_sentence,
    states_sentence,
    trial_rows,
    value_rows,
)


def render_page(result: StudyResult) -> str:
    """The page, top-down: the best, its values and the space, pictures, all trials, provenance."""
    names = short_names(dimension.field for dimension in result.space)
    better = own_trial(result) is None or own_trial(result) != result.best
    best, separator, rest = headline(result).partition("; ")
    return (
        page_environment(Path(__file__).parent)
        .get_template("study.html.j2")
        .render(
            result=result,
            best=best + ("." if separator else ""),
            rest=rest[:1].upper() + rest[1:],
            better=better,
            states=states_sentence(result),
            scope=scope_sentence(),
            space=space_sentence(result),
            values=value_rows(result),
            fields=list(names.values()),
            metric=metric_name(result.metric),
            rows=list(zip(result.trials, trial_rows(result), strict=True)),
            pictures={name: inline_svg(svg) for name, svg in pictures(result, "svg").items()},
            time=duration(result.seconds),
        )
    )


def pictures(result: StudyResult, form: Form) -> dict[str, bytes]:
    """The study's pictures by name, without those that this study has nothing for."""
    made = {"history": history_picture, "parallel": parallel_picture, "slices": slices_picture}
    if any(trial.curve for trial in result.trials if trial.score is not None):
        made["curves"] = curves_picture
    if result.importances:
        made["importances"] = importances_picture
    return {name: picture(result, form) for name, picture in made.items()}
