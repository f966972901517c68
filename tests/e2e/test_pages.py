"""The real pages: servers on free ports, a recipe materialized by clicking, and its run found in MLflow's page."""

import signal
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Pages

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RUN_MILLISECONDS = 300_000


@pytest.fixture
def pages(project: Path, tiny_bert: Path, write_recipe, serve: Callable[[], Pages]) -> Pages:
    write_recipe(
        base=tiny_bert,
        method="{kind: full}",
        training="{epochs: 6, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, "
        "early_stopping: {patience: 20}}",
        evaluation="{metric: accuracy, target: 0.1}",
    )
    return serve()


def test_a_recipe_materialized_by_clicking_is_found_in_mlflow_and_one_ctrl_c_stops_both(pages, chromium, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.goto(f"{pages.dagster}/locations/luthier/jobs/finetune")
        page.get_by_role("button", name="Materialize all").click(timeout=60_000)
        # Dagster warns of the study, which a first training does without.
        page.get_by_role("button", name="Confirm").click()
        page.get_by_text("Select a partition or create one").click()
        page.get_by_text("Select all (1)").click()
        page.keyboard.press("Escape")
        with page.expect_response(lambda response: '"Launch' in (response.request.post_data or "")):
            page.get_by_role("button", name="Launch 1 run").click()
        page.goto(f"{pages.dagster}/runs")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=RUN_MILLISECONDS)
        page.screenshot(path=tmp_path / "runs.png")
        page.goto(f"{pages.dagster}/assets/evaluation_report?partition=tiny")
        expect(page.get_by_text("against a target of 0.1").first).to_be_visible(timeout=60_000)
        page.screenshot(path=tmp_path / "report.png")
        page.goto(f"{pages.dagster}/assets/cleaned_splits?partition=tiny")
        expect(page.get_by_text("No leak found between 240 rows in three splits.").first).to_be_visible(timeout=60_000)
        for shown in ("splits by label", "lengths", "rejected by reason", "nearest texts", "preview", "report"):
            expect(page.get_by_text(shown, exact=True).first).to_be_visible()
        page.screenshot(path=tmp_path / "splits.png", full_page=True)

        page.goto(f"{pages.mlflow}/#/experiments")
        page.get_by_text("Model training", exact=True).click(timeout=60_000)
        page.get_by_role("link", name="tiny", exact=True).click(timeout=60_000)
        expect(page.get_by_text("tiny · first training · met").first).to_be_visible(timeout=60_000)
        page.screenshot(path=tmp_path / "mlflow.png")
        browser.close()

    pages.process.send_signal(signal.SIGINT)
    assert pages.process.wait(timeout=60) == 0
    for url in (pages.dagster, pages.mlflow):
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(url, timeout=5)
