"""What a naive random split claims, and what is true: one recipe, trained and scored on both.

    python benchmarks/naive_split.py questions

Naive: all rows that could be read and labelled, repeats and all, shuffled and cut 70 / 15 / 15. Honest: the recipe's
own splits. The naive model is also scored on those of its test rows whose text, normalised, is not in its train: that
is what it knows beyond what it has seen.
"""

import argparse
import logging
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from luthier.data.clean_table import clean_rows
from luthier.data.label_ids import label_ids, label_names
from luthier.data.raw import RawSource, read_raw_facts, write_raw_data
from luthier.data.splits import split_schema, write_cleaned_splits
from luthier.data.tables import read_facts, write_facts
from luthier.data.text import normalised
from luthier.evaluation.baselines import tfidf
from luthier.evaluation.scores import score
from luthier.models.loading import load_tokenizer
from luthier.models.snapshot import write_base_model
from luthier.packaging.merging import load_reference
from luthier.recipe.loading import load_recipe
from luthier.recipe.schema import Recipe
from luthier.sources import Access, fetch
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import Inference
from luthier.training.compute import choose_compute
from luthier.training.finetuning import FineTuning, finetune
from luthier.training.tokens import write_tokens
from resources.home import PROJECT, luthier_home


def write_naive_splits(raw: Path, folder: Path, recipe: Recipe, work: Path) -> None:
    """Rows shuffled and cut, in the files that training and evaluation read."""
    kept = recipe.data.model_copy(update={"duplicates": recipe.data.duplicates.model_copy(update={"threshold": 1.0})})
    rows = clean_rows(raw, kept, read_raw_facts(raw).columns, scratch=work)
    labels = label_names(rows, np.ones(len(rows), dtype=bool), recipe.data)
    order = np.random.default_rng(recipe.data.split.seed).permutation(len(rows))
    sizes = [round(share * len(rows)) for share in (1 - recipe.data.split.test, recipe.data.split.test)]
    validation = round(recipe.data.split.validation * len(rows))
    parts = np.split(order, [sizes[0] - validation, sizes[0]])
    folder.mkdir()
    for name, chosen in zip(("train", "validation", "test"), parts, strict=True):
        taken = rows.table.select(["row", "text", "label", "group"]).take(chosen)
        ids, nothing = label_ids(taken["label"], labels, "single"), pa.nulls(len(chosen))
        columns = [taken["row"], taken["text"], nothing, nothing, taken["label"], ids, taken["group"], nothing, nothing]
        schema = split_schema("single")
        arrays = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
        pq.write_table(pa.table(arrays, schema=schema), folder / f"{name}.parquet")
    write_facts(folder / "facts.json", {"labels": labels, "class_weights": None})


def trained(recipe: Recipe, splits: Path, base: Path, work: Path) -> np.ndarray:
    """The fine-tuned model's predictions on the test rows, as ids."""
    task = TASKS[recipe.task]
    head = head_of(recipe, splits)
    write_tokens(splits, base, task, head, max_length=recipe.training.max_length, folder=work / "tokens")
    job = FineTuning(
        task=task,
        head=head,
        metric=recipe.evaluation.metric,
        method=recipe.method,
        training=recipe.training,
        compute=choose_compute(recipe.training, recipe.method),
        model=base,
        tokens=work / "tokens",
    )
    (work / "tuned").mkdir()
    finetune(job, work=work / "checkpoints", output=work / "tuned", on_metrics=lambda values, step: None)
    model, test = load_reference(job.method, base, work / "tuned", head), pq.read_table(splits / "test.parquet")
    answers = task.predict(model, load_tokenizer(base), test, head, Inference(recipe.training.max_length))
    return np.stack(list(answers.evidence)).argmax(axis=1)


def head_of(recipe: Recipe, splits: Path) -> Head:
    """What the labels of these splits need of a model."""
    labels = read_facts(splits / "facts.json")["labels"]
    return TASKS[recipe.task].head(labels, recipe.data.label_kind, encoder_decoder=False)


def report(name: str, splits: Path, predictions: dict[str, np.ndarray]) -> None:
    """Prints accuracy on all test rows, and on those whose text is not in train."""
    train, test = (pq.read_table(splits / f"{split}.parquet") for split in ("train", "test"))
    known = set(map(normalised, train["text"].to_pylist()))
    new = np.asarray([normalised(text) not in known for text in test["text"].to_pylist()])
    labels = test["label_id"].to_numpy()
    print(f"{name}: {len(train):,} training rows, {len(test):,} test rows, {1 - new.mean():.1%} of them in train too")
    for way, predicted in predictions.items():
        for which, rows in (("all test rows", np.ones(len(new), dtype=bool)), ("texts not in train", new)):
            found = score("accuracy", labels[rows], predicted[rows])
            shown = f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"
            print(f"  {way:<12} {which:<20} {shown} on {rows.sum():,}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--overrides", nargs="*", default=[], metavar="FIELD=VALUE")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    recipe = load_recipe(PROJECT / "recipes" / f"{arguments.recipe}.yaml", arguments.overrides).recipe
    access = Access(downloads=luthier_home() / "downloads", root=PROJECT)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "base").mkdir()
        write_base_model(fetch(recipe.base_model.source, access), work / "base")
        source = RawSource(fetch(recipe.data.address, access))
        columns, form = recipe.data.columns.required, recipe.data.format
        write_raw_data([source], work / "raw", required_columns=columns, form=form, pattern=recipe.data.pattern)
        write_naive_splits(work / "raw", work / "naive", recipe, work)
        write_cleaned_splits(work / "raw", work / "honest", recipe.data)
        for name in ("naive", "honest"):
            train, test = (pq.read_table(work / name / f"{split}.parquet") for split in ("train", "test"))
            texts = [table["text"].to_pylist() for table in (train, test)]
            words = tfidf(texts[0], train["label_id"].to_numpy(), texts[1], head_of(recipe, work / name)).argmax(axis=1)
            (work / f"{name} training").mkdir()
            tuned = trained(recipe, work / name, work / "base", work / f"{name} training")
            report(name, work / name, {"tf-idf": words, "fine-tuned": tuned})


if __name__ == "__main__":
    main()
