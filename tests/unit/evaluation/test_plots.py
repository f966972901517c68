import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from luthier.data_report.plots import label_balance
from luthier.errors import LuthierError
from luthier.evaluation.plots import confusion_matrix, loss_and_metric_curves, scores_with_intervals, smoothed
from luthier.evaluation.scores import Score

History = list[dict[str, float]]
PLOTS: dict[str, Callable[..., bytes]] = {
    "curves": lambda history, label, form: loss_and_metric_curves(history, metric="accuracy", target=0.8, form=form),
    "scores": lambda history, label, form: scores_with_intervals(
        {"fine-tuned": Score(0.8, 0.7, 0.9), label: Score(0.5, 0.4, 0.6)}, metric="accuracy", target=0.84, form=form
    ),
    "confusion": lambda history, label, form: confusion_matrix([[40, 10], [0, 50]], ["a", label], form=form),
    "balance": lambda history, label, form: label_balance(
        {"train": {"a": 70, label: 30}, "test": {"a": 7, label: 3}}, form=form
    ),
}


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("form", ["svg", "png"])
def test_the_same_values_give_the_same_bytes_and_leave_no_state(plot: str, form: str, history: History) -> None:
    before = dict(matplotlib.rcParams)
    first = PLOTS[plot](history, "b", form)
    assert first == PLOTS[plot](history, "b", form)
    assert dict(matplotlib.rcParams) == before
    assert first.startswith(b"\x89PNG" if form == "png" else b"<?xml")


@pytest.mark.parametrize("plot", ["scores", "confusion", "balance"])
def test_labels_are_text_and_never_markup_or_formulas(plot: str, history: History) -> None:
    label = "<b>$\\q</b>"
    picture = PLOTS[plot](history, label, "svg")
    texts = [element.text for element in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert label in texts


def test_a_matrix_shows_every_count_and_leaves_out_nothing(history: History) -> None:
    picture = confusion_matrix([[1234, 5], [0, 66]], ["a", "b"]).decode()
    shown = re.findall(r">([\d,]+)</text>", picture)
    assert sorted(shown) == ["0", "1,234", "5", "66"]


@pytest.mark.parametrize("classes", [2, 6, 17, 77])
def test_matrices_of_many_labels_are_drawn(classes: int) -> None:
    labels = [f"a rather long label, number {row}" for row in range(classes)]
    counts = np.eye(classes, dtype=int).tolist()
    assert len(confusion_matrix(counts, labels, form="png")) > 1000


def test_smoothing_keeps_a_line_of_one_height_and_calms_noise() -> None:
    assert smoothed(np.full(100, 0.5)) == pytest.approx(np.full(100, 0.5))
    assert smoothed(np.array([0.3])) == pytest.approx([0.3])
    noise = np.random.default_rng(0).normal(size=500)
    assert smoothed(noise).std() < 0.5 * noise.std()
    assert len(smoothed(noise[:7])) == 7


def test_a_history_of_one_step_and_one_validation_is_drawn() -> None:
    one = [{"step": 1, "epoch": 0.5, "loss": 0.7}, {"step": 1, "epoch": 0.5, "eval_loss": 0.6, "eval_accuracy": 0.8}]
    assert b"best 0.800" in loss_and_metric_curves(one, metric="accuracy")


def test_a_history_without_the_metric_is_refused(history: History) -> None:
    with pytest.raises(LuthierError, match="eval_mcc"):
        loss_and_metric_curves(history, metric="mcc")
    with pytest.raises(LuthierError, match="loss"):
        loss_and_metric_curves([], metric="accuracy")


def test_the_best_of_a_metric_that_should_be_low_is_its_least(history: History) -> None:
    falling = loss_and_metric_curves(history, metric="perplexity", target=30.0)
    assert b"best 20.0" in falling
    assert b"Validation perplexity" in falling
    assert b"target 30" in falling


def test_scores_of_any_size_are_written_with_three_digits() -> None:
    picture = scores_with_intervals({"fine-tuned": Score(21.34, 20.1, 22.6)}, metric="perplexity", target=25.0)
    assert b"21.3" in picture
    assert b"20.1 to 22.6" in picture
