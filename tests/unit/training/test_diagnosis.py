import random
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from luthier.tasks.metric import METRICS
from luthier.training.diagnosis import diagnose
from luthier.training.finetuning import finetune
from luthier.training.tokens import write_tokens
from tests.conftest import PLAIN

ACCURACY, PERPLEXITY = METRICS["accuracy"], METRICS["perplexity"]


def history(train: list[float], validation: list[float], scores: list[float], *, metric: str = "accuracy") -> list:
    """Ten steps an epoch at the epoch's training loss, then its validation."""
    entries: list[dict[str, float]] = []
    for epoch, (loss, eval_loss, score) in enumerate(zip(train, validation, scores, strict=True), start=1):
        entries += [{"loss": loss, "epoch": epoch, "step": 10 * (epoch - 1) + step} for step in range(10)]
        entries.append({"eval_loss": eval_loss, f"eval_{metric}": score, "epoch": epoch, "step": 10 * epoch})
    return entries


@pytest.mark.parametrize(
    ("kind", "train", "validation", "scores"),
    [
        ("fit", [0.7, 0.5, 0.4], [0.6, 0.5, 0.45], [0.7, 0.75, 0.8]),
        ("fit", [0.7, 0.3, 0.2], [0.5, 0.40, 0.46], [0.7, 0.8, 0.82]),
        ("overfitting", [0.7, 0.3, 0.1], [0.6, 0.5, 0.9], [0.7, 0.75, 0.73]),
        ("underfitting", [0.7, 0.7, 0.69], [0.69, 0.69, 0.69], [0.5, 0.51, 0.49]),
        ("divergence", [0.7, 0.9, 1.2], [0.8, 0.9, 1.3], [0.5, 0.5, 0.5]),
        ("overfitting", [0.7, 0.4, 0.2], [0.7, 0.75, 0.8], [0.9, 0.8, 0.79]),
        ("divergence", [0.7, 0.7, 0.69], [0.8, 9.0, 30.0], [0.5, 0.5, 0.5]),
        ("plateau", [0.7, 0.4, 0.35, 0.3], [0.6, 0.5, 0.5, 0.5], [0.7, 0.80, 0.801, 0.80]),
    ],
)
def test_each_kind_is_named_after_what_the_losses_did(kind, train, validation, scores):
    found = diagnose(history(train, validation, scores), ACCURACY)
    assert found.kind == kind
    assert found.healthy == (kind in ("fit", "plateau"))


@pytest.mark.parametrize(("sample", "kind"), [(0.06, "overfitting"), (0.6, "fit")])
def test_the_gap_between_training_rows_and_validation_rows_is_looked_at(sample, kind):
    found = history([0.67, 0.3, 0.2], [0.8, 0.85, 0.9], [0.55, 0.56, 0.57])
    found.append({"train_loss": sample, "epoch": 3, "step": 30})
    diagnosis = diagnose(found, ACCURACY)
    assert diagnosis.kind == kind
    assert kind == "fit" or "the gap is more than half" in diagnosis.evidence


def test_a_model_that_had_nothing_left_to_learn_did_not_underfit():
    assert diagnose(history([1e-3] * 3, [1e-3] * 3, [1.0, 1.0, 0.995]), ACCURACY).kind == "fit"


def test_nothing_is_said_of_a_few_steps():
    validation = {"eval_loss": 0.5, "eval_accuracy": 0.5, "epoch": 1, "step": 3}
    few = [*history([0.5], [0.5], [0.5])[:3], validation]
    found = diagnose(few, ACCURACY)
    assert (found.kind, found.healthy) == ("short", False)
    assert "3 steps are too few" in found.evidence


@pytest.mark.parametrize(
    ("scores", "kind"),
    [([0.0020, 0.0015, 0.0012, 0.0006], "fit"), ([500_100, 500_001, 500_000.5, 500_000], "plateau")],
)
def test_what_is_noise_goes_by_the_size_of_a_metric_without_an_end(scores, kind):
    found = history([3, 2, 1.8, 1.7], [3, 2.5, 2.4, 2.3], scores, metric="mse")
    assert diagnose(found, METRICS["mse"]).kind == kind


def test_the_evidence_has_the_numbers_and_where_they_are_from():
    found = diagnose(history([0.7, 0.3, 0.1], [0.6, 0.5, 0.9], [0.7, 0.75, 0.73]), ACCURACY)
    for said in ("0.5 (epoch 2)", "0.9 (epoch 3)", "from 0.3 to 0.1"):
        assert said in found.evidence


def test_the_best_of_a_metric_that_falls_is_its_lowest():
    found = diagnose(history([3, 2, 1], [3, 2.5, 2.6], [20, 12, 13.5], metric="perplexity"), PERPLEXITY)
    assert found.kind == "fit"
    assert "after epoch 2, 12" in found.evidence


def test_what_min_delta_calls_still_is_a_plateau():
    moving = history([0.7, 0.4, 0.35, 0.3], [0.6, 0.5, 0.5, 0.5], [0.70, 0.78, 0.79, 0.80])
    assert diagnose(moving, ACCURACY).kind == "fit"
    assert diagnose(moving, ACCURACY, min_delta=0.03).kind == "plateau"


def test_a_training_on_labels_that_mean_nothing_is_found_to_overfit(fine_tuning, tmp_path):
    chance = random.Random(1)
    for split in ("train", "validation"):
        texts = [" ".join(chance.sample(PLAIN, 6)) for _ in range(32)]
        labels, nothing = [chance.randrange(2) for _ in texts], [None] * len(texts)
        table = {"text": texts, "pair": nothing, "messages": nothing, "label": labels, "label_id": labels}
        pq.write_table(pa.table(table), tmp_path / f"{split}.parquet")
    settings = {"batch_size": 8, "scheduler": "constant", "evaluate_every": 20, "dropout": "adapter"}
    job = fine_tuning("full", epochs=40, learning_rate=4e-3, early_stopping={"patience": 99}, **settings)
    write_tokens(tmp_path, job.model, job.task, job.head, max_length=16, folder=tmp_path / "tokens")
    (tmp_path / "output").mkdir()
    facts = finetune(
        replace(job, tokens=tmp_path / "tokens"),
        work=tmp_path / "work",
        output=tmp_path / "output",
        on_metrics=lambda values, step: None,
    )
    assert facts.diagnosis["kind"] == "overfitting"
    assert not facts.diagnosis["healthy"]
