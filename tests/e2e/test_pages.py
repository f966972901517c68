"""The real pages: servers on free ports, a recipe materialized by clicking, and its run found in MLflow's page."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
START_SECONDS = 180
RUN_MILLISECONDS = 300_000


@dataclass(frozen=True)
class Pages:
    dagster: str
    mlflow: str
    process: subprocess.Popen


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_served(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "luthier ui ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            continue
    raise AssertionError(f"{url} is not served")


@pytest.fixture
def pages(project: Path, tiny_bert: Path, write_recipe) -> Iterator[Pages]:
    write_recipe(
        base=tiny_bert,
        method="{kind: full}",
        training="{epochs: 6, batch_size: 16, max_length: 16, learning_rate: 2.0e-3, threads: 1, "
        "early_stopping: {patience: 20}}",
        evaluation="{metric: accuracy, target: 0.1}",
    )
    ports = free_port(), free_port()
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "ui"]
    command += ["--dagster-port", str(ports[0]), "--mlflow-port", str(ports[1])]
    process = subprocess.Popen(command, env=os.environ, start_new_session=True)
    found = Pages(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}", process)
    try:
        wait_until_served(f"{found.dagster}/server_info", process)
        wait_until_served(f"{found.mlflow}/health", process)
        yield found
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def test_a_recipe_materialized_by_clicking_is_found_in_mlflow_and_one_ctrl_c_stops_both(pages, chromium, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1500, "height": 950})
        page.goto(f"{pages.dagster}/locations/luthier/jobs/finetune")
        page.get_by_role("button", name="Materialize all").click(timeout=60_000)
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
        expect(page.get_by_text(re.compile("^tiny [0-9a-f]{8}$")).first).to_be_visible(timeout=60_000)
        page.screenshot(path=tmp_path / "mlflow.png")
        browser.close()

    pages.process.send_signal(signal.SIGINT)
    assert pages.process.wait(timeout=60) == 0
    for url in (pages.dagster, pages.mlflow):
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(url, timeout=5)
