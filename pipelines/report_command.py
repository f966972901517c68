"""What `luthier report` does beside printing: opening pages, comparing two reports."""

import json
import tempfile
import webbrowser
from dataclasses import asdict
from pathlib import Path

import dagster as dg
from rich.console import Console

from luthier.recipe.resolving import ResolvedRecipe
from resources.artifact_store import ArtifactStore
from resources.tracking import Tracking


def open_page(page: Path, console: Console, *, silent: bool = False) -> None:
    """Opens the page in the browser, and says where it lies; ``silent`` where the output is for programs."""
    if not webbrowser.open(page.resolve().as_uri()) and not silent:
        console.print("No browser was found.", highlight=False)
    if not silent:
        console.print(f"Opened    {page}", highlight=False, markup=False)


def show_versus(
    resolved: ResolvedRecipe,
    other: str,
    instance: dg.DagsterInstance,
    artifacts: ArtifactStore,
    console: Console,
    *,
    as_json: bool,
    out: Path | None,
    opened: bool,
) -> None:
    """Prints how the recipe's newest report stands beside another, and writes the page."""
    from luthier.evaluation.versus import versus
    from luthier.evaluation.versus_page import print_versus, render_versus
    from pipelines.report_sides import other_side, own_side

    first = own_side(resolved.name, instance, artifacts)
    found = versus(first, other_side(other, resolved, instance, artifacts, Tracking(home=artifacts.home)))
    page = out or Path(tempfile.mkdtemp(prefix="luthier-versus-")) / "versus.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(render_versus(found), encoding="utf-8")
    if as_json:
        print(json.dumps(asdict(found), indent=2))
    else:
        print_versus(found, console)
        console.print(f"\nPage      {page}", highlight=False, markup=False)
    if opened:
        open_page(page, console, silent=as_json)
