"""What `luthier serve` reads and answers: MLflow's protocol, OpenAI's, its limits, its page, its OpenAPI document."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.served import Registry, Served, answers, metrics, registry, serving, write_package
from tests.unit.packaging.tuned import TEXTS

TOKEN = "a secret of this test"
BEARER = {"authorization": f"Bearer {TOKEN}"}
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LIMITS = ["--max-rows", "8", "--max-characters", "400", "--max-bytes", "5000"]


def deployed(folder: Path, kind: str, **settings: Any) -> Registry:
    made = registry(folder)
    made.register(write_package(kind, folder / "made", **settings))
    made.champion("1")
    return made


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return deployed(tmp_path_factory.mktemp("classifier") / "home", "single")


@pytest.fixture(scope="module")
def served(classifier: Registry) -> Iterator[Served]:
    with serving(classifier, *LIMITS) as found:
        yield found


def post(served: Served, path: str, body: Any, **options: Any) -> requests.Response:
    return requests.post(f"{served.url}{path}", json=body, timeout=60, **options)


FORMS = [
    {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}},
    {"dataframe_split": {"columns": ["text"], "index": [3, 1, 2, 0], "data": [[text] for text in TEXTS]}},
    {"dataframe_records": [{"text": text} for text in TEXTS]},
    {"instances": [{"text": text} for text in TEXTS]},
    {"inputs": {"text": TEXTS}},
    {"inputs": [{"text": text} for text in TEXTS]},
    {"dataframe_records": [{"text": TEXTS[0]}]},
]


@pytest.mark.parametrize("body", FORMS)
def test_every_form_is_answered_as_mlflow_answers_it(body, served, classifier):
    import mlflow
    from mlflow.pyfunc.scoring_server import invocations

    model = mlflow.pyfunc.load_model(str(classifier.package("1")))
    theirs = invocations(json.dumps(body), "application/json", model, model.metadata.get_input_schema())
    ours = post(served, "/invocations", body)
    assert (
        (ours.status_code, ours.headers["content-type"])
        == (theirs.status, theirs.mimetype)
        == (200, "application/json")
    )
    for found, right in zip(ours.json()["predictions"], json.loads(theirs.response)["predictions"], strict=True):
        assert found.keys() == right.keys() and found["label"] == right["label"]
        assert found["probability"] == pytest.approx(right["probability"], abs=1e-6)
    assert ours.headers["x-luthier-model-version"] == "1"


def test_texts_alone_stand_for_the_only_column_and_no_rows_have_no_predictions(served, classifier):
    right = [row["label"] for row in answers(classifier.model("1"), TEXTS)]
    for body in ({"instances": TEXTS}, {"inputs": TEXTS}):
        assert [row["label"] for row in post(served, "/invocations", body).json()["predictions"]] == right
    assert post(served, "/invocations", {"dataframe_records": []}).json() == {"predictions": []}


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (413, {"instances": ["a"] * 9}, "9 rows are more than 8"),
        (413, {"instances": ["a" * 401]}, "401 characters"),
        (413, {"instances": ["a" * 5001]}, "5,000 bytes"),
        (422, {"instances": ["a", " "]}, "row 1 has no text"),
        (422, {"instances": [{"text": None}]}, "row 0 has no text"),
        (422, {"instances": [{"text": 3}]}, "no text; give a string"),
        (422, {"instances": [{"texts": "a"}]}, "reads no column 'texts'; give text"),
        (422, {"inputs": {"text": "a", "pair": "b"}}, "reads no column 'pair'"),
        (422, {"instances": ["a"], "inputs": ["a"]}, "exactly one of"),
        (422, {"rows": []}, "exactly one of"),
        (422, [], "no JSON object"),
        (422, {"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}, "a value for each column"),
        (422, {"instances": ["a"], "params": {"temperature": 1}}, "no params"),
        (422, {"instances": ["\ud800"]}, "half a character"),
    ],
)
def test_what_is_not_read_is_refused_with_the_reason(status, body, said, served):
    response = post(served, "/invocations", body)
    assert response.status_code == status
    assert said in response.json()["message"] and response.json()["error_code"].isupper()


def test_a_body_that_is_no_json_or_does_not_say_so_is_refused(served):
    url = f"{served.url}/invocations"
    for body in (b"{", b"\xff", b'{"instances": [NaN]}', b"[" * 4000):
        assert requests.post(url, data=body, headers={"content-type": "application/json"}).status_code == 400
    for kind in ("text/csv", "text/plain", None):
        response = requests.post(url, data=b"text\na", headers={"content-type": kind} if kind else {})
        assert response.status_code == 415 and "send application/json" in response.json()["message"]

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    assert requests.post(url, data=endless(), headers={"content-type": "application/json"}).status_code == 413


def test_other_hosts_paths_and_methods_are_refused(served):
    for host in ("evil.example", "127.0.0.1.evil.example", "evil.example:80"):
        response = requests.get(f"{served.url}/ping", headers={"host": host})
        assert response.status_code == 403 and "--allow-host" in response.json()["message"]
    assert requests.get(f"{served.url}/ping", headers={"host": f"localhost:{served.port}"}).status_code == 200
    assert requests.get(f"{served.url}/docs").status_code == 404
    refused = requests.get(f"{served.url}/invocations")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert requests.post(f"{served.url}/v1/chat/completions", json={}).status_code == 404


def test_what_was_asked_is_counted_and_logged_without_texts(served):
    before = metrics(requests.get(f"{served.url}/metrics").text)
    post(served, "/invocations", {"instances": ["unheard of", "words"]})
    found = metrics(requests.get(f"{served.url}/metrics").text)
    counted = 'luthier_serve_requests_total{path="/invocations",status="200"}'
    assert found[counted] == before.get(counted, 0) + 1
    assert found["luthier_serve_batch_rows_sum"] == before.get("luthier_serve_batch_rows_sum", 0) + 2
    assert found["luthier_serve_waiting"] == 0
    line = [line for line in served.lines() if line.get("path") == "/invocations"][-1]
    assert (line["status"], line["rows"], line["version"]) == (200, 2, "1") and line["milliseconds"] > 0
    assert "unheard of" not in served.log.read_text()


def test_the_openapi_document_is_true(served):
    assert conform_to_the_document(served) >= {"/invocations", "/try", "/ping", "/version", "/metrics"}


def test_the_openapi_document_of_a_chat_with_a_token_is_true(guarded):
    from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

    # The token is not schemathesis's own; that a text is a conversation as JSON cannot be said in a schema.
    left_out = [ignored_auth, positive_data_acceptance]
    found = conform_to_the_document(guarded, left_out, headers=BEARER)
    assert found >= {"/v1/chat/completions", "/v1/models", "/invocations"}


def conform_to_the_document(served: Served, left_out: Sequence[Any] = (), **options: Any) -> set[str]:
    """Schemathesis makes up requests from it, valid ones and others, and holds the answers against it."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    # What is too much is refused by 413, which schemathesis does not take for a refusal by default.
    refused = {"expected-statuses": [400, 401, 403, 404, 405, 413, 415, 422]}
    config = schemathesis.Config.from_dict({"checks": {"negative_data_rejection": refused}})
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json", config=config, **options)
    operations = [found.ok() for found in schema.get_all_operations()]
    made_up = settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    def holds(case: Any) -> None:
        response = case.call(timeout=60, **options)
        assert response.status_code < 500, response.text
        case.validate_response(response, excluded_checks=list(left_out))

    for operation in operations:
        if operation.method == "post":
            for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
                made_up(given(case=operation.as_strategy(generation_mode=mode))(holds))()
        else:
            holds(operation.Case())
    return {operation.path for operation in operations}


def test_the_page_shows_the_scores_of_all_labels_and_the_version(served, chromium, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 900, "height": 760})
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.goto(served.url)
        expect(page.get_by_text("Version 1", exact=True)).to_be_visible()
        page.get_by_label("Text").fill("the film was <b>good</b>")
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_text("%")).to_have_count(2)
        shown = page.locator("#answer").inner_text()
        assert "good" in shown and "bad" in shown
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=tmp_path / f"{scheme}.png")
        assert told == []
        page.get_by_label("Text").fill("a" * 400)
        page.evaluate("document.querySelector('textarea').value = 'a'.repeat(401)")
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_text("401 characters")).to_be_visible()
        # The policy lets no other script run.
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
        assert page.evaluate("window.ran") is None
        browser.close()


@pytest.fixture(scope="module")
def dialog(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return deployed(tmp_path_factory.mktemp("dialog") / "home", "causal", modules_to_save=["lm_head"])


@pytest.fixture(scope="module")
def guarded(dialog: Registry) -> Iterator[Served]:
    with serving(dialog, "--log-texts", LUTHIER_SERVE_TOKEN=TOKEN) as found:
        yield found


def client(served: Served, token: str = TOKEN) -> Any:
    import openai

    return openai.OpenAI(base_url=f"{served.url}/v1", api_key=token, max_retries=0)


def talk(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_nothing_but_the_page_and_ping_is_open_without_the_token(guarded):
    import openai

    for path in ("/", "/ping"):
        assert requests.get(f"{guarded.url}{path}").status_code == 200
    for path in ("/health", "/version", "/metrics", "/openapi.json", "/nothing"):
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            response = requests.get(f"{guarded.url}{path}", headers=headers)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert requests.get(f"{guarded.url}/version", headers=BEARER).status_code == 200
    assert TOKEN not in guarded.log.read_text()
    with pytest.raises(openai.AuthenticationError):
        client(guarded, "wrong").models.list()


def test_openais_client_is_answered_what_the_package_answers(guarded, dialog):
    import pyarrow as pa

    model = dialog.model("1")
    right = model.answers(pa.table({"messages": [json.dumps(talk(text)) for text in TEXTS]}))["answer"].to_pylist()
    assert len(set(right)) > 1
    for text, answer in zip(TEXTS, right, strict=True):
        found = client(guarded).chat.completions.create(model="tiny", messages=talk(text))
        assert found.choices[0].message.content == answer
        assert found.choices[0].finish_reason in ("stop", "length")
        assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
        prompt = model.tokenizer.apply_chat_template(talk(text), add_generation_prompt=True, tokenize=False)
        assert found.usage.prompt_tokens == min(32, len(model.tokenizer(prompt, add_special_tokens=False)["input_ids"]))
    short = client(guarded).chat.completions.create(model="tiny", messages=talk(TEXTS[0]), max_tokens=2)
    assert (short.usage.completion_tokens, short.choices[0].finish_reason) == (2, "length")
    assert [model.id for model in client(guarded).models.list()] == ["tiny"]


def test_a_stream_says_the_same_in_pieces(guarded):
    options = {"include_usage": True}
    for text in TEXTS:
        whole = client(guarded).chat.completions.create(model="tiny", messages=talk(text))
        chunks = list(
            client(guarded).chat.completions.create(
                model="tiny", messages=talk(text), stream=True, stream_options=options
            )
        )
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert said == whole.choices[0].message.content
        assert chunks[-1].usage == whole.usage
        assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason


@pytest.mark.parametrize(
    ("status", "changed", "param"),
    [
        (404, {"model": "gpt"}, "model"),
        (400, {"temperature": 0.7}, "temperature"),
        (400, {"n": 2}, "n"),
        (400, {"messages": []}, "messages"),
        (400, {"messages": [{"role": "robot", "content": "a"}]}, "messages.0.role"),
        (400, {"max_tokens": 0}, "max_tokens"),
        (400, {"stop": ["a"]}, "stop"),
        (413, {"messages": talk("a" * 20_001)}, None),
    ],
)
def test_what_chat_does_not_do_is_refused_in_openais_form(status, changed, param, guarded):
    import openai

    with pytest.raises(openai.APIStatusError) as raised:
        client(guarded).chat.completions.create(**{"model": "tiny", "messages": talk("Hi"), **changed})
    assert (raised.value.status_code, raised.value.param) == (status, param)
    assert raised.value.body["message"] and raised.value.body["code"]


def test_texts_are_logged_if_that_was_asked_for(guarded):
    client(guarded).chat.completions.create(model="tiny", messages=talk("remember this"))
    assert any("remember this" in json.dumps(line.get("texts")) for line in guarded.lines())


def test_conversations_can_be_tried_on_the_page_with_the_token(guarded, chromium, tmp_path):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 900, "height": 760})
        page.goto(guarded.url)
        page.get_by_label("Token").fill("wrong")
        page.get_by_label("What you say").fill(TEXTS[0])
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_text("the token is missing or wrong")).to_be_visible()
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_text("assistant", exact=True)).to_be_visible()
        expect(page.get_by_text("Version 1", exact=True)).to_be_visible()
        page.screenshot(path=tmp_path / "chat.png")
        page.get_by_role("button", name="Begin anew").click()
        expect(page.locator(".turn")).to_have_count(0)
        browser.close()


def test_what_waits_too_long_and_what_is_too_much_is_said_so(classifier, dialog):
    from concurrent.futures import ThreadPoolExecutor

    body = {"instances": ["the film was good " * 20] * 200}
    with serving(classifier, "--timeout", "0.2", "--max-waiting", "4") as served, ThreadPoolExecutor(12) as pool:
        found = [answer.status_code for answer in pool.map(lambda _: post(served, "/invocations", body), range(60))]
        codes = {code: found.count(code) for code in set(found)}
        refused = [line for line in served.lines() if line.get("status") == 429]
        assert set(codes) <= {200, 429, 504} and codes[429] == len(refused) > 0
        # What nobody waits for any longer is left out, and the rest is answered again.
        while (answer := post(served, "/invocations", {"instances": ["good"]})).status_code != 200:
            assert answer.status_code == 504
