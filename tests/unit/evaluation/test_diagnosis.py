"""What is found, by which evidence: each finding where it is planted, and none where it is not."""

from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import least_squares

from luthier.evaluation.aspects.diagnosis import examine, findings_for_tuning
from luthier.evaluation.diagnosis.data_size import data_size_findings
from luthier.evaluation.diagnosis.finding import KINDS
from luthier.evaluation.diagnosis.handing_on import read_for_tuning, write_for_tuning
from luthier.evaluation.diagnosis.labels import confused, noise
from luthier.evaluation.diagnosis.learning_curve import LearningCurve, learning_curve
from luthier.evaluation.diagnosis.power_law import power_laws
from luthier.evaluation.known import Known
from luthier.evaluation.labels import ConfusedPair
from luthier.evaluation.markdown import markdown_environment
from luthier.evaluation.page import report_environment
from luthier.methods.lora import Lora
from luthier.recipe.learning_curve_section import LearningCurveSection
from luthier.recipe.schema import EvaluationSection
from tests.unit.evaluation.answered import SAMPLES, classified, regression, tags
from tests.unit.evaluation.examinations import examination

NAMES = ("a", "b", "c")


def answers(gold, right: float, *, sure: float = 0.9, seed: int = 0, names=NAMES):
    """Rows of which this share is answered right, with this probability; the model is less sure of the others."""
    random = np.random.default_rng(seed)
    gold = np.asarray(gold)
    given = np.where(random.random(len(gold)) < right, gold, (gold + 1) % len(names))
    confidence = np.where(given == gold, sure, 0.6 * sure)
    outputs = np.repeat((1 - confidence)[:, None] / (len(names) - 1), len(names), axis=1)
    outputs[np.arange(len(gold)), given] = confidence
    return classified(names, gold, outputs)


def log_of(*scores, train=None):
    """A training whose loss falls, with these validation accuracies and those of training rows."""
    entries = []
    for epoch, score in enumerate(scores, start=1):
        entries += [
            {"step": 10 * epoch + n, "epoch": epoch - 1 + n / 10, "loss": 1.0 / (epoch + n / 10)} for n in range(10)
        ]
        entries.append({"step": 10 * epoch, "epoch": epoch, "eval_loss": 0.5 - epoch / 100, "eval_accuracy": score})
        if train is not None:
            entries.append({"step": 10 * epoch, "epoch": epoch, "train_loss": 0.4, "train_accuracy": train})
    return entries


def examined(right=0.95, *, history=None, target=0.9, test=None, train=None, validation=None, curve="none"):
    gold = np.arange(600) % 3
    return examination(
        test or answers(gold, right, seed=1),
        validation or answers(gold, right),
        train or pa.table({"label_id": gold, "label": [NAMES[i] for i in gold]}),
        history=history or log_of(0.9, 0.93, 0.95),
        evaluation=EvaluationSection(target=target, learning_curve=LearningCurveSection(by=curve)),
        method=Lora(),
    )


def kinds(found):
    return [finding.kind for finding in found]


def test_a_good_model_has_no_findings():
    assert kinds(examine(examined(0.97)).findings) == []


def test_rows_learned_by_heart_and_rows_not_even_learned_are_told_apart():
    (heart,) = findings_for_tuning(examined(0.8, history=log_of(0.7, 0.8, train=0.99)).known, None)
    assert (heart.kind, heart.severity) == ("overfitting", "high")
    assert "0.990 on training rows, 0.800 on validation rows" in heart.evidence
    assert "method.dropout" in heart.fields and "raise method.dropout" in heart.remedy
    (under,) = findings_for_tuning(examined(0.6, history=log_of(0.5, 0.6, train=0.62)).known, None)
    assert (under.kind, under.numbers) == ("underfitting", {"train": 0.62, "validation": 0.6})
    assert findings_for_tuning(examined(0.95, history=log_of(0.9, 0.95, train=0.98)).known, None) == ()


def test_a_loss_that_rises_is_divergence():
    rising = [{"step": n, "epoch": n / 20, "loss": 0.5 + n / 10} for n in range(1, 21)]
    rising.append({"step": 20, "epoch": 1.0, "eval_loss": 2.0, "eval_accuracy": 0.4})
    (found,) = findings_for_tuning(examined(0.4, history=rising).known, None)
    assert (found.kind, found.severity) == ("divergence", "high")
    assert "training.learning_rate" in found.fields


def test_the_remedy_names_only_fields_that_the_method_has():
    known = replace(examined(0.8, history=log_of(0.7, 0.8, train=0.99)).known, method=None)
    (found,) = findings_for_tuning(known, None)
    assert all(field.startswith("training.") for field in found.fields)
    assert "method." not in found.remedy


def test_labels_that_a_sure_model_contradicts_are_counted_as_cleanlab_counts_them():
    from cleanlab.filter import find_label_issues

    gold = np.arange(600) % 3
    given = np.where(np.random.default_rng(3).random(600) < 0.08, (gold + 1) % 3, gold)
    answered = answers(gold, 1.0)
    outputs = answered.outputs.astype(float) / answered.outputs.sum(axis=1, keepdims=True)
    outputs += np.random.default_rng(4).uniform(0, 0.02, outputs.shape)
    noisy = classified(NAMES, given, outputs / outputs.sum(axis=1, keepdims=True))
    share = noise(examined(validation=noisy).known)
    issues = find_label_issues(given, outputs / outputs.sum(axis=1, keepdims=True), filter_by="confident_learning")
    planted = float((given != gold).mean())
    assert share == pytest.approx(planted, abs=0.03)
    assert share == pytest.approx(issues.mean(), abs=0.02)
    found = findings_for_tuning(examined(validation=noisy, target=0.8).known, None)
    assert kinds(found) == ["noisy labels"] and "training.label_smoothing" in found[0].fields


def test_an_unsure_model_contradicts_nobody():
    assert noise(examined(validation=answers(np.arange(600) % 3, 0.6, sure=0.5)).known) is None


def test_a_rare_label_that_is_missed_is_named_and_a_rare_one_that_is_found_is_not():
    gold = np.repeat([0, 1, 2], [290, 290, 20])
    train = pa.table({"label_id": gold, "label": [NAMES[i] for i in gold]})
    missing = np.where(gold == 2, 0, gold)
    outputs = np.eye(3)[missing] * 0.4 + 0.2
    (found,) = findings_for_tuning(
        examined(train=train, validation=classified(NAMES, gold, outputs), target=0.5).known, None
    )
    assert found.kind == "label imbalance" and "data.balance" in found.fields
    assert "c (3.3% of the training rows, recall 0.000)" in found.evidence
    right = classified(NAMES, gold, np.eye(3)[gold] * 0.4 + 0.2)
    assert findings_for_tuning(examined(train=train, validation=right, target=0.5).known, None) == ()


def test_confused_labels_are_named_with_their_rows():
    counts = np.array([[80, 20, 0], [1, 99, 0], [4, 0, 6]])
    assert confused(counts, NAMES) == [ConfusedPair("a", "b", 20, of=100)]
    gold = np.repeat([0, 1, 2], 200)
    found = np.where((gold == 0) & (np.arange(600) % 4 == 0), 2, gold)
    test = classified(NAMES, gold, np.eye(3)[found] * 0.4 + 0.2)
    (finding,) = examine(examined(0.92, test=test)).on_test
    assert finding.kind == "class confusion" and "a for c (50 of 200)" in finding.evidence


def test_a_validation_score_above_the_test_interval_is_said_to_be_lucky():
    (found,) = examine(examined(0.97, test=answers(np.arange(600) % 3, 0.9, seed=2))).on_test
    assert found.kind == "lucky validation"


def test_what_goes_to_tuning_is_the_same_whatever_the_test_rows_are():
    given = examined(0.8, history=log_of(0.7, 0.8, train=0.99))
    gold = np.random.default_rng(9).integers(0, 3, 500)
    other = replace(given, test=answers(gold, 0.2), changed=given.test.predictions)
    found, changed = examine(given), examine(other)
    assert found.for_tuning == changed.for_tuning
    assert found.on_test != changed.on_test
    assert "test" not in {field.name for field in fields(Known)}


def test_tuning_reads_a_file_of_its_own_that_has_no_test_score(tmp_path):
    found = examine(examined(0.97, test=answers(np.arange(600) % 3, 0.9, seed=2)))
    write_for_tuning(found.for_tuning, tmp_path)
    assert read_for_tuning(tmp_path) == {}
    found = examine(examined(0.8, history=log_of(0.7, 0.8, train=0.99)))
    write_for_tuning(found.for_tuning, tmp_path)
    assert read_for_tuning(tmp_path) == {finding.kind: finding.evidence for finding in found.for_tuning}
    assert read_for_tuning(tmp_path / "of-before") == {}


@pytest.mark.parametrize("made", [regression, tags])
def test_other_tasks_are_diagnosed_by_what_they_have(made):
    sample = made()
    history = log_of(0.9, 0.95)
    assert examine(examination(sample, history=history)).curve is None


def said(found):
    """The part of the page and that of the Markdown, without markup."""
    page = report_environment().get_template("diagnosis.html.j2").render(found=found, pictures={})
    return page, markdown_environment().get_template("diagnosis.md.j2").render(found=found).replace("\\", "")


def test_nothing_is_said_to_be_absent_that_was_not_looked_for():
    all_but_rows = tuple(kind for kind in KINDS if kind != "too little data")
    found = examine(examined(0.97))
    assert set(found.sought) == set(all_but_rows) and found.findings == ()
    two = answers(np.arange(600) % 2, 0.6, sure=0.5, names=("a", "b"))
    train = pa.table({"label_id": np.arange(600) % 2, "label": ["a", "b"] * 300})
    unsure = examine(examined(test=two, validation=two, train=train, target=0.5))
    assert set(KINDS) - set(unsure.sought) == {"noisy labels", "class confusion", "too little data"}
    generated = examine(examination(SAMPLES["generations"](), metric="rouge_l"))
    assert generated.sought == ()
    for each in (found, unsure, generated):
        for text in said(each):
            absent, _, unsought = text.partition("Not looked for")
            assert all(kind in absent for kind in each.sought)
            assert all(kind in unsought and kind not in absent for kind in KINDS if kind not in each.sought)


def test_too_few_steps_say_nothing_of_a_training_that_reached_its_target():
    few = [{"step": 1, "epoch": 1.0, "loss": 0.5}, {"step": 1, "epoch": 1.0, "eval_loss": 0.5, "eval_accuracy": 0.95}]
    assert not {"divergence", "overfitting", "underfitting"} & set(examine(examined(0.95, history=few)).sought)


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        ("regression", "evaluation.learning_curve.by is none"),
        ("tags", "no cheap model is trained for token-classification"),
        ("questions", "no cheap model is trained for question-answering"),
        ("generations", "no cheap model is trained for text-generation"),
    ],
)
def test_where_there_is_no_learning_curve_the_report_says_why(sample, why):
    given = examination(SAMPLES[sample](), history=log_of(0.9, 0.95))
    by = "none" if sample == "regression" else "probe"
    asked = given.known.evaluation.model_copy(update={"learning_curve": LearningCurveSection(by=by)})
    found = examine(replace(given, known=replace(given.known, evaluation=asked)))
    assert found.curve is None and found.no_curve == why
    for text in said(found):
        assert f"No learning curve: {why}." in text


# --- the learning curve

ROWS = np.array([100.0, 200.0, 400.0, 800.0])


@pytest.mark.parametrize(("a", "b", "c"), [(0.1, 0.2, 0.5), (0.0, 0.3, 0.25), (0.05, 0.1, 1.0)])
def test_a_power_law_is_found_again(a, b, c):
    fit = power_laws(ROWS, (a + b * (ROWS / 800) ** -c)[None, :])
    assert (fit.a[0], fit.b[0], fit.c[0]) == (pytest.approx(a, abs=2e-3), pytest.approx(b, abs=2e-3), pytest.approx(c))
    assert fit.at(3200)[0] == pytest.approx(a + b * 4**-c, abs=1e-3)


def test_noisy_points_are_fitted_as_scipy_fits_them():
    random = np.random.default_rng(5)
    errors = 0.1 + 0.2 * (ROWS / 800) ** -0.6 + random.normal(0, 0.004, (20, 4))
    found = power_laws(ROWS, errors)
    weights = ROWS / ROWS.sum()
    for place, row in enumerate(errors):

        def left(p, row=row):
            return np.sqrt(weights) * (row - p[0] - p[1] * (ROWS / 800) ** -p[2])

        best = min(
            (
                least_squares(left, (0.05, 0.2, start), bounds=([0, 0, 0.02], [1, 1, 2])).cost
                for start in (0.2, 0.6, 1.5)
            ),
        )
        own = 0.5 * (left((found.a[place], found.b[place], found.c[place])) ** 2).sum()
        assert own <= best + 1e-7


def test_a_curve_that_gets_worse_is_drawn_flat():
    fit = power_laws(ROWS, np.array([[0.1, 0.12, 0.13, 0.14]]))
    assert fit.b[0] == 0 and fit.at(3200)[0] == pytest.approx(fit.at(800)[0])


class Probe:
    """A task's probe that is right on a share of the rows which grows with the training rows as it is told to."""

    def __init__(self, task, error):
        self.task, self.error = task, error

    def __getattr__(self, name):
        return getattr(self.task, name)

    def probe(self, given):
        gold = np.asarray(given.test["label_id"].to_pylist())
        chance = np.random.default_rng(len(given.train)).random(len(gold))
        wrong = chance < self.error(len(given.train))
        return classified(NAMES, gold, np.eye(3)[np.where(wrong, (gold + 1) % 3, gold)]).predictions


def probed(error, rows=800, validation=4000, target=0.9):
    gold = np.arange(validation) % 3
    answered = answers(gold, 0.85)
    ids = np.arange(rows) % 3
    train = pa.table({"label_id": ids, "label": [NAMES[i] for i in ids]})
    given = examined(train=train, validation=answered, curve="probe", target=target)
    return replace(given.known, validation=replace(answered, task=Probe(answered.task, error)))


def test_an_error_that_falls_with_more_rows_is_drawn_further_and_says_how_many_are_needed():
    known = probed(lambda rows: 0.05 + 0.2 * (rows / 800) ** -0.5)
    curve = learning_curve(known)
    assert [point.rows for point in curve.points] == [100, 200, 400, 800]
    assert [point.trainings for point in curve.points] == [5, 5, 5, 1]
    double, fourfold = curve.further
    assert (double.rows, fourfold.rows) == (1600, 3200)
    assert fourfold.low <= 0.95 - 0.1 <= fourfold.high
    assert curve.lacking == pytest.approx(0.9 - known.score)
    (found,) = data_size_findings(known, curve)
    assert found.kind == "too little data" and "probe's curve and not the tuned model's" in found.evidence
    assert curve.needed is not None and f"{curve.needed:,} training rows" in found.remedy
    gained = curve.at(curve.needed) - curve.at(800)
    assert gained == pytest.approx(curve.lacking, rel=0.1)


def test_a_curve_that_has_ended_asks_for_no_data():
    known = probed(lambda rows: 0.2)
    curve = learning_curve(known)
    assert list(data_size_findings(known, curve)) == []


def test_a_curve_is_drawn_of_the_real_probe_and_never_of_test_rows(tiny_bert):
    generator = np.random.default_rng(0)
    ids = generator.integers(0, 2, 300)
    words = [["bad dull", "good great"][i] + f" film {n}" for n, i in enumerate(ids)]
    names = ("bad", "good")
    columns = {"text": words, "pair": pa.nulls(300, pa.string()), "label": [names[i] for i in ids], "label_id": ids}
    train = pa.table({**columns, "augmentation": pa.array([None] * 256 + ["copied"] * 44, pa.string())})
    validation = answers(ids[:60], 0.9, names=names)
    validation = replace(validation, rows=validation.rows.set_column(1, "text", pa.array(words[:60])))
    given = examined(train=train, validation=validation, curve="probe")
    given = replace(given, known=replace(given.known, model=tiny_bert))
    curve = learning_curve(given.known)
    assert isinstance(curve, LearningCurve)
    assert curve.points[-1].rows == 256
    assert curve == learning_curve(replace(given, test=answers(ids, 0.1, names=names)).known)
    few = replace(given, known=replace(given.known, train=train.slice(0, 100)))
    assert examine(few).no_curve == "a learning curve needs 128 training rows"
