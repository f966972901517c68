"""Training speed of the recipe ``reviews``, beside a plain Hugging Face Trainer on the same rows, model and LoRA.

Each measurement is a process of its own; the ways take turns, so that a machine that slows down slows all of them.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("plain", "luthier", "luthier, model dropout")


def prepare(work: Path) -> None:
    """Splits, base and tokens of the recipe, once for all measurements."""
    from luthier.data.raw import RawSource, write_raw_data
    from luthier.data.splits import write_cleaned_splits
    from luthier.models.snapshot import write_base_model
    from luthier.sources import Access, fetch
    from luthier.tasks import TASKS
    from luthier.training.tokens import write_tokens
    from resources.home import luthier_home

    recipe = shipped_recipe()
    access = Access(downloads=luthier_home() / "downloads", root=ROOT)
    for name in ("raw", "splits", "base", "tokens"):
        (work / name).mkdir(parents=True)
    rows = RawSource(fetch(recipe.data.address, access))
    write_raw_data([rows], work / "raw", required_columns=recipe.data.columns.required)
    write_cleaned_splits(work / "raw", work / "splits", recipe.data)
    write_base_model(fetch(recipe.base_model.source, access), work / "base")
    task, length = TASKS[recipe.task], recipe.training.max_length
    write_tokens(work / "splits", work / "base", task, head_of(recipe), max_length=length, folder=work / "tokens")


def head_of(recipe):
    from luthier.tasks import TASKS

    return TASKS[recipe.task].head(recipe.data.labels, recipe.data.label_kind, encoder_decoder=False)


def shipped_recipe():
    from luthier.recipe.loading import load_recipe

    return load_recipe(ROOT / "recipes" / "reviews.yaml").recipe


def measure(way: str, work: Path, *, rows: int | None, epochs: float, seed: int, accuracy: bool) -> dict[str, float]:
    """Rows per second of the training loop, and test accuracy in float32 when asked."""
    import numpy as np
    import pyarrow.parquet as pq
    import torch

    from luthier.models.loading import load_tokenizer
    from luthier.tasks.task import Inference
    from luthier.training.callbacks import TrainingClock

    recipe = shipped_recipe()
    job = fine_tuning(way, work, epochs=epochs, seed=seed)
    clock = TrainingClock()
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        trainer = (plain_trainer if way == "plain" else luthier_trainer)(job, Path(scratch), clock)
        if rows is not None:
            trainer.train_dataset = trainer.train_dataset.select(range(rows))
        trainer.train()
    trained = trainer.state.global_step * job.training.batch_size
    found = {"rows_per_second": trained / clock.seconds}
    if accuracy:
        test = pq.read_table(work / "splits" / "test.parquet")
        model = trainer.model.to(torch.float32)
        tokenizer, how = load_tokenizer(work / "base"), Inference(recipe.training.max_length)
        answers = job.task.predict(model, tokenizer, test, job.head, how).answers
        found["accuracy"] = float(np.mean(np.array(answers) == test["label"].to_numpy()))
    return found


def fine_tuning(way: str, work: Path, *, epochs: float, seed: int):
    from luthier.tasks import TASKS
    from luthier.training.compute import choose_compute
    from luthier.training.finetuning import FineTuning

    recipe = shipped_recipe()
    dropout = "model" if way.endswith("model dropout") else recipe.training.dropout
    training = recipe.training.model_copy(update={"epochs": epochs, "seed": seed, "dropout": dropout})
    metric, compute = recipe.evaluation.metric, choose_compute(training, recipe.method)
    task, method = TASKS[recipe.task], recipe.method
    return FineTuning(task, head_of(recipe), metric, method, training, compute, work / "base", work / "tokens")


def luthier_trainer(job, scratch: Path, clock):
    from luthier.training.finetuning import build_trainer, trainable_model

    job.compute.pin_threads()
    return build_trainer(job, trainable_model(job), scratch, extra=[clock])


def plain_trainer(job, scratch: Path, clock):
    """What the Trainer's documentation shows: default arguments, the same rows, model, LoRA, batch and rate."""
    import peft
    import transformers

    from luthier.training.tokens import read_tokens

    transformers.set_seed(job.training.seed)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(job.model, num_labels=len(job.head.labels))
    method = job.method
    config = peft.LoraConfig(
        task_type="SEQ_CLS", r=method.r, lora_alpha=method.alpha, target_modules=method.target_modules
    )
    arguments = transformers.TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=job.training.epochs,
        per_device_train_batch_size=job.training.batch_size,
        learning_rate=job.training.learning_rate,
        seed=job.training.seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(job.model)
    return transformers.Trainer(
        model=peft.get_peft_model(model, config),
        args=arguments,
        train_dataset=read_tokens(job.tokens, "train"),
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
        callbacks=[clock],
    )


def in_a_process(arguments: argparse.Namespace, way: str, work: Path, *, seed: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--way", way, "--work", str(work), "--seed", str(seed)]
    command += ["--epochs", str(arguments.epochs)]
    command += ["--rows", str(arguments.rows)] if arguments.rows else []
    command += ["--accuracy"] if arguments.accuracy else []
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(printed.splitlines()[-1])


def compare(arguments: argparse.Namespace) -> None:
    """Runs the ways in turn and prints medians, ratios by round and mean accuracies."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        prepare(work)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for seed in range(arguments.rounds):
            for way in WAYS:
                found[way].append(in_a_process(arguments, way, work, seed=seed))
                print(f"round {seed + 1} {way}: {found[way][-1]}", flush=True)
    plain = [each["rows_per_second"] for each in found["plain"]]
    for way, rounds in found.items():
        speeds = [each["rows_per_second"] for each in rounds]
        ratios = [speed / other for speed, other in zip(speeds, plain, strict=True)]
        line = f"{way:<24} {statistics.median(speeds):7.1f} rows/s   {statistics.median(ratios):5.2f} x plain"
        if arguments.accuracy:
            accuracies = [each["accuracy"] for each in rounds]
            line += f"   accuracy {statistics.mean(accuracies):.4f} (mean of {len(accuracies)})"
        print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="rounds; round N trains with seed N - 1")
    parser.add_argument("--rows", type=int, default=None, help="training rows; all by default")
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--accuracy", action="store_true", help="also score the test split")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    if arguments.way is None:
        compare(arguments)
    else:
        options = {"rows": arguments.rows, "epochs": arguments.epochs, "accuracy": arguments.accuracy}
        print(json.dumps(measure(arguments.way, arguments.work, seed=arguments.seed, **options)))


if __name__ == "__main__":
    main()
