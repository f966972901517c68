"""What this machine has, what is wrong with it, and the remedy."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from resources.home import PROJECT, luthier_home, recipes_folder
from resources.recipe_book import RecipeBook, recipe_names

LEAST_DISK = 5e9
LEAST_MEMORY = 4e9


@dataclass(frozen=True)
class Finding:
    """One thing looked at; a remedy makes it a problem."""

    what: str
    found: str
    remedy: str | None = None


def examine() -> Iterator[Finding]:
    """Everything that a fine-tuning depends on here."""
    yield from _arithmetic()
    yield from _space()
    yield from _versions()
    yield from _recipes()


def _arithmetic() -> Iterator[Finding]:
    from luthier.training.compute import available_device, fast_bfloat16

    device = available_device()
    yield Finding("device", device)
    yield Finding(
        "precision", "bfloat16 products" if fast_bfloat16(device) else "float32 products (no fast bfloat16 here)"
    )
    yield Finding("threads", f"{psutil.cpu_count(logical=False)} physical cores")


def _space() -> Iterator[Finding]:
    home = luthier_home()
    existing = next(path for path in (home, *home.parents) if path.exists())
    free, memory = shutil.disk_usage(existing).free, psutil.virtual_memory().available
    short = free < LEAST_DISK
    yield Finding("disk", f"{free / 1e9:.1f} GB free at {home}", "free some, or set LUTHIER_HOME" if short else None)
    little = memory < LEAST_MEMORY
    yield Finding("memory", f"{memory / 1e9:.1f} GB available", "close other programs" if little else None)


def _versions() -> Iterator[Finding]:
    for line in (PROJECT / "constraints.txt").read_text().splitlines():
        name, pinned, wanted = line.partition("==")
        if not pinned or name not in ("dagster", "mlflow", "torch", "transformers", "peft", "bitsandbytes", "datasets"):
            continue
        yield _version(name, wanted)


def _version(name: str, wanted: str) -> Finding:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, "not installed", "make setup")
    same = found.partition("+")[0] == wanted
    return Finding(name, found, None if same else f"constraints.txt pins {wanted}: make setup")


def _recipes() -> Iterator[Finding]:
    from luthier.recipe.problems import RecipeError

    book = RecipeBook(folder=str(recipes_folder()))
    for name in recipe_names(Path(book.folder)):
        try:
            book.get(name)
        except RecipeError as error:
            yield Finding(f"recipe {name}", f"{len(error.problems)} problems", f"luthier recipe check {name}")
        else:
            yield Finding(f"recipe {name}", "valid")
