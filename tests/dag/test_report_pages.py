"""Reports of a data set full of markup, made by the real graph, as a browser and a Markdown reader see them."""

import csv
import html
import json
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from luthier.evaluation.markdown_text import md
from luthier.evaluation.report import read_report
from luthier.evaluation.versus import versus
from luthier.evaluation.versus_page import print_versus, render_versus
from luthier.evaluation.wording import score_texts
from pipelines.report_sides import other_side, own_side
from resources.recipe_book import RecipeBook
from tests.conftest import BAD, GOOD, PLAIN
from tests.dag.graph import metadata, up_to

ATTACKS = (
    "<script>window.hit = 1</script>",
    '<img src="http://127.0.0.1:9/x.png" onerror="window.hit = 1">',
    "</td></table><svg onload=window.hit=1>",
    "![x](http://127.0.0.1:9/y.png) [click](javascript:alert(1))",
    "| a | b |\n|---|---|\n\n# heading",
    "{{ 7 * 7 }} {% raw %} $\\frac{1}{2}$ ]]> -->",
    '"><iframe src=http://127.0.0.1:9/></iframe>',
)
LABELS = ("<script>window.hit = 2</script>bad", '<img src=x onerror="window.hit = 2">good|*b*')


@pytest.fixture
def attacked(graph, project, tiny_bert, write_recipe):
    """Two evaluations of hostile rows: texts and labels are markup."""
    with (project / "reviews.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "sentiment", "text"])
        for row in range(240):
            # Most of it is words that the tokenizer knows.
            words = f"{(BAD, GOOD)[row % 2][row % 6]} {row} {' '.join(PLAIN)}"
            writer.writerow([row, 1 if row % 2 else -1, f"{words} {ATTACKS[row % len(ATTACKS)]}"])
    labels = ", ".join(json.dumps(label) for label in LABELS)
    write_recipe(
        base=tiny_bert,
        data=f'{{source: reviews.csv, columns: {{text: text, label: "sentiment > 0"}}, labels: [{labels}], '
        "augmentation: {below: 0}, cleaning: {html: keep}, duplicates: {threshold: 1.0}}",
        training="{epochs: 12, batch_size: 16, max_length: 8, learning_rate: 2.0e-2, threads: 1}",
        evaluation="{metric: accuracy, target: 0.999}",
    )
    first = graph.run("training.learning_rate=1e-4", select=up_to("evaluation_report"))
    assert first.success, first.all_events[-1]
    second = graph.run(select=up_to("evaluation_report"))
    assert second.success
    return [metadata(run, "evaluation_report")["digest"] for run in (first, second)]


@pytest.fixture
def folders(attacked, graph):
    return [graph.artifacts.root / "evaluation_report" / digest for digest in attacked]


@pytest.fixture
def compared(attacked, graph):
    resolved = RecipeBook(folder=str(graph.project / "recipes")).get("tiny")
    first = own_side("tiny", graph.instance, graph.artifacts)
    return versus(first, other_side(attacked[0][:8], resolved, graph.instance, graph.artifacts, graph.tracking))


def test_no_text_of_the_data_becomes_markup_in_a_browser_or_in_markdown(folders, compared, chromium, tmp_path):
    from playwright.sync_api import sync_playwright

    report = read_report(folders[0])
    assert any("<script>" in example.text for example in report.examples.rows)
    versus_page = tmp_path / "versus.html"
    versus_page.write_text(render_versus(compared), encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for path in (folders[0] / "report.html", versus_page):
            for scheme in ("light", "dark"):
                page = browser.new_page(color_scheme=scheme)
                asked, refused = [], []
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                page.on("console", lambda message, refused=refused: refused.append(message.text))
                page.goto(path.as_uri())
                assert asked == [path.as_uri()]
                assert page.evaluate("window.hit") is None
                # The policy of the page refuses what it has: nothing may have been refused either.
                assert refused == []
                assert page.locator("script, img, iframe, object, embed, svg svg, link, base").count() == 0
                assert (
                    page.evaluate(
                        "[...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames())"
                        ".filter(name => name.startsWith('on'))"
                    )
                    == []
                )
                assert "window.hit = 1</script>" in page.locator("body").inner_text()
                page.close()
        browser.close()
    text = (folders[0] / "report.md").read_text()
    assert not re.search(r"<(?!br)\w|</", text)
    assert not re.search(r"(?<!\\)!\[|(?<!\\)\]\(", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows and all(line.endswith("|") for line in rows)
    assert "window.hit = 2&lt;/script&gt;bad" in text


def test_the_three_forms_say_the_same_numbers(folders):
    for folder in folders:
        report = read_report(folder)
        page = html.unescape(re.sub(r"<[^>]+>", " ", (folder / "report.html").read_text()).replace("&nbsp;", " "))
        markdown = (folder / "report.md").read_text()
        assert report.aspects.diagnosis is not None
        for name, score in report.metrics.items():
            for said in score_texts(report, name, score):
                assert said in page and said in markdown
        for score in report.baselines.values():
            assert all(said in markdown for said in score_texts(report, report.metric, score))
            assert f"{score.value:.3f}" in page
        for condition in report.gate:
            if condition.asked:
                assert condition.reason in page and md(condition.reason) in markdown
        for finding in report.aspects.diagnosis.findings:
            for said in (finding.evidence, finding.remedy):
                assert said in page and md(said) in markdown
        curve = report.aspects.diagnosis.curve
        assert curve is not None
        for point in (*curve.points, *curve.further):
            assert f"{point.value:.3f}" in page and f"{point.value:.3f}" in markdown


def test_two_reports_on_the_same_rows_are_compared_in_pairs(compared, folders, attacked, graph):
    first, second = (read_report(folder) for folder in reversed(folders))
    (accuracy,) = [each for each in compared.metrics if each.metric == "accuracy"]
    assert compared.unpaired is None and accuracy.paired is not None
    assert accuracy.paired.value == pytest.approx(first.deciding.value - second.deciding.value)
    gained, lost = compared.counts
    assert gained - lost == round(accuracy.paired.value * first.rows["test"])
    assert len(compared.gained) == min(20, gained) and len(compared.lost) == min(20, lost)
    assert ("training.learning_rate", "0.02", "0.0001") in compared.settings
    assert all(row.first == row.expected != row.second for row in compared.gained)
    console = Console(record=True, width=200, force_terminal=False)
    print_versus(compared, console)
    assert compared.sentence.split(":")[0] in console.export_text()
    resolved = RecipeBook(folder=str(graph.project / "recipes")).get("tiny")
    for other, said in (
        ("nothing", "no recipe or report"),
        (attacked[0][:3], "no recipe or report"),
        ("champion", "no champion"),
    ):
        with pytest.raises(ValueError, match=said):
            other_side(other, resolved, graph.instance, graph.artifacts, graph.tracking)


def test_the_graph_hands_on_findings_and_every_form_and_says_what_is_next(graph, tiny_bert, write_recipe):
    write_recipe(base=tiny_bert, evaluation="{metric: accuracy, target: 0.999}")
    result = graph.run(select=up_to("evaluation_report"))
    found = metadata(result, "evaluation_report")
    folder = graph.artifacts.root / "evaluation_report" / found["digest"]
    report = read_report(folder)
    kept = json.loads((folder / "report.json").read_text())
    shown = found["report as JSON"]
    assert shown["metrics"] == kept["metrics"] and shown["gains"] == kept["gains"]
    assert shown == {name: part for name, part in kept.items() if name in shown} | {"aspects": shown["aspects"]}
    assert set(kept) - set(shown) == {"examples", "confusion"}
    forms = {"report": "report.html", "report as Markdown": "report.md"}
    assert {name: found[name] for name in forms} == {name: str(folder / file) for name, file in forms.items()}
    (run,) = [run for run in graph.mlflow_runs(result) if run.info.run_name == "3 evaluation"]
    logged = {file.path for file in graph.tracking.store.client.list_artifacts(run.info.run_id)}
    assert {"report.html", "report.md", "report.json"} <= logged
    assert found["what next"]
    assert found["what next"] in html.unescape(found["in short"]).replace("\\", "")
    assert len(found["in short"]) < 4000
    assert report.aspects.diagnosis is not None and report.aspects.diagnosis.curve is not None


def test_the_command_line_has_each_form(graph, tiny_bert, write_recipe, monkeypatch, tmp_path):
    from pipelines import cli, report_command

    write_recipe(base=tiny_bert, evaluation="{metric: accuracy, target: 0.999}")
    graph.run(select=up_to("evaluation_report"))
    monkeypatch.setattr("dagster.DagsterInstance.get", lambda: _kept(graph.instance))
    opened = []
    monkeypatch.setattr(report_command.webbrowser, "open", lambda address: opened.append(address) or True)
    run = CliRunner().invoke
    assert run(cli.app, ["report", "tiny", "--markdown"]).output.startswith("# tiny\n")
    assert {"next", "findings"} <= json.loads(run(cli.app, ["report", "tiny", "--json"]).output).keys()
    assert run(cli.app, ["report", "tiny", "--open"]).exit_code == 0
    assert opened[0].startswith("file://") and opened[0].endswith("/report.html")
    out = tmp_path / "pages" / "beside.html"
    ended = run(cli.app, ["report", "tiny", "--versus", "tiny", "--out", str(out)])
    assert ended.exit_code == 0 and "not surely other than" in ended.output
    assert "tiny versus tiny" in out.read_text()


class _kept:
    """An instance that a command closes and the test goes on with."""

    def __init__(self, instance) -> None:
        self.instance = instance

    def __enter__(self):
        return self.instance

    def __exit__(self, *_) -> None:
        pass
