"""Messages through a real web server and real programs; no secret stands in any error."""

import json
import sys
from pathlib import Path

import psutil
import pytest

from luthier.errors import LuthierError
from resources.notifications import Message, NotSent, declared_hooks, post, run_command, send
from tests.web_hook import web_hook

MESSAGE = Message("reviews", "a run of finetune failed", "adapter: <b> & no rows", "abcdef0123", "http://page/runs/abc")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_webhook_gets_slacks_json_with_the_text_escaped_and_a_link(monkeypatch, tmp_path):
    with web_hook() as server:
        monkeypatch.setenv("HOOK", server.url)
        send(MESSAGE, "webhook", {"url_env": "HOOK"}, folder=tmp_path)
    (received,) = server.received
    assert received["text"] == (
        "*reviews*: a run of finetune failed\nadapter: &lt;b&gt; &amp; no rows\n"
        "<http://page/runs/abc|Dagster run abcdef01>"
    )
    (block,) = received["blocks"]
    assert block == {"type": "section", "text": {"type": "mrkdwn", "text": received["text"]}}


def test_a_long_reason_stays_within_what_slack_takes():
    message = Message("reviews", "failed", "long " * 5000, None, None)
    assert len(message.as_slack()["blocks"][0]["text"]["text"]) < 3000
    assert message.as_json()["why"] == message.why


@pytest.mark.parametrize("status", [302, 404, 500])
def test_any_other_answer_than_yes_is_an_error_that_names_the_host_alone(monkeypatch, status):
    with web_hook() as server:
        monkeypatch.setenv("HOOK", server.url)
        server.statuses.append(status)
        with pytest.raises(NotSent) as error:
            post(MESSAGE, "HOOK")
    assert str(error.value) == f"127.0.0.1 answered {status}"
    assert server.received == [] and server.asked == 1


def test_a_server_that_says_nothing_is_left(monkeypatch):
    with web_hook() as server:
        monkeypatch.setenv("HOOK", server.url)
        server.silent.set()
        with pytest.raises(NotSent) as error:
            post(MESSAGE, "HOOK", seconds=0.2)
    assert str(error.value) == "127.0.0.1 did not answer within 0.2 seconds"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "the environment variable HOOK is not set"),
        ("", "the environment variable HOOK is not set"),
        ("secret-path", "HOOK holds no http or https URL"),
        ("ftp://host/secret-path", "HOOK holds no http or https URL"),
        ("http://[secret-path", "HOOK holds no http or https URL"),
        ("http://127.0.0.1:1/secret-path", "127.0.0.1 was not reached: ClientConnectorError"),
        ("http://user:secret@127.0.0.1:99999/secret-path", "127.0.0.1 was not reached: "),
    ],
)
def test_what_is_wrong_with_the_address_is_said_without_it(monkeypatch, value, said):
    if value is None:
        monkeypatch.delenv("HOOK", raising=False)
    else:
        monkeypatch.setenv("HOOK", value)
    with pytest.raises(NotSent) as error:
        post(MESSAGE, "HOOK")
    assert str(error.value).startswith(said) and "secret" not in str(error.value)


def test_a_command_reads_the_message_and_no_shell_reads_its_arguments(tmp_path):
    code = "import sys; open('told', 'w').write(sys.argv[1] + '\\n' + sys.stdin.read())"
    send(MESSAGE, "command", {"command": [*python(code), "$HOME; `id`"]}, folder=tmp_path)
    argument, _, read = (tmp_path / "told").read_text().partition("\n")
    assert argument == "$HOME; `id`"
    assert json.loads(read) == {
        "recipe": "reviews",
        "what": "a run of finetune failed",
        "why": "adapter: <b> & no rows",
        "run_id": "abcdef0123",
        "link": "http://page/runs/abc",
        "text": "reviews: a run of finetune failed\nadapter: <b> & no rows\nhttp://page/runs/abc",
    }


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (python("import sys; sys.exit('no mail today')"), "ended with exit code 1: no mail today"),
        (["/no/such/program"], "/no/such/program did not start: No such file or directory"),
    ],
)
def test_a_command_that_fails_says_why(tmp_path, command, said):
    with pytest.raises(NotSent, match=said):
        run_command(MESSAGE, command, folder=tmp_path)


def test_a_command_that_goes_on_is_ended_with_all_its_children(tmp_path):
    command = ["sh", "-c", "sleep 600 & echo $! > pid; wait"]
    with pytest.raises(NotSent, match="did not end within 2 seconds"):
        run_command(MESSAGE, command, folder=tmp_path, seconds=2)
    child = int((tmp_path / "pid").read_text())
    try:
        process = psutil.Process(child)
        ended = process.status() == psutil.STATUS_ZOMBIE or process.wait(timeout=30) is None
    except psutil.NoSuchProcess:
        ended = True
    assert ended


def test_hooks_are_found_in_a_recipe_that_is_otherwise_wrong(tmp_path: Path):
    path = tmp_path / "broken.yaml"
    path.write_text("task: no-such-task\non_failure: {webhook: {url_env: HOOK}, command: [mail, ops]}\n")
    assert declared_hooks(path) == {"webhook": {"url_env": "HOOK"}, "command": {"command": ["mail", "ops"]}}
    path.write_text("task: no-such-task\n")
    assert declared_hooks(path) == {}
    path.write_text("on_failure: {webhook: {url_env: 'http://host/secret-path'}}\n")
    with pytest.raises(LuthierError) as error:
        declared_hooks(path)
    assert "secret" not in str(error.value)
