"""What the end of a run says of a report."""

from pathlib import Path

import pytest
from rich.console import Console

from pipelines.results import Result
from pipelines.summary import print_result
from resources.recipe_book import RecipeBook
from tests.unit.evaluation.conftest import report_of, rows_of

RECIPES = Path(__file__).parents[3] / "recipes"


@pytest.mark.parametrize(("confidence", "said"), [(0.95, "95 %"), (0.975, "97.5 %"), (0.999, "99.9 %")])
def test_the_confidence_of_the_intervals_is_said_as_it_is(confidence: float, said: str) -> None:
    printed = Console(record=True, width=200)
    report = report_of(rows_of(("no", "yes")), target=0.5, confidence=confidence)
    result = Result(report, Path("report.html"), None, "run", None)
    print_result(RecipeBook(folder=str(RECIPES)).get("reviews"), result, printed)
    text = printed.export_text()
    assert text.count(f"{said} interval") == 2
