"""Every message arrives once, whoever asks twice, whatever fails in between."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from resources.notifications import Message, NotSent
from resources.outbox import KEPT_SECONDS, WAITS, Outbox

HOOKS = {"webhook": {"url_env": "A"}, "command": {"command": ["mail"]}}


class Receiver:
    """Notes what arrives; ``refuses`` says what does not."""

    def __init__(self, refuses: Callable[[str, Mapping[str, Any]], bool] = lambda kind, hook: False) -> None:
        self.refuses = refuses
        self.tried: list[tuple[str, str]] = []
        self.arrived: list[tuple[str, str]] = []

    def __call__(self, message: Message, kind: str, hook: Mapping[str, Any]) -> None:
        self.tried.append((message.recipe, kind))
        if self.refuses(kind, hook):
            raise NotSent("away")
        self.arrived.append((message.recipe, kind))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(tmp_path: Path, clock: Clock) -> Outbox:
    return Outbox(tmp_path, clock=clock)


def message(recipe: str = "reviews") -> Message:
    return Message(recipe, "failed", "why", None, None)


def test_an_event_is_sent_once_to_each_hook_however_often_it_is_put_in(outbox):
    receiver = Receiver()
    for _ in range(3):
        outbox.add("run 1", message(), HOOKS)
        outbox.deliver(receiver, seconds=60)
    assert sorted(receiver.arrived) == [("reviews", "command"), ("reviews", "webhook")]
    assert outbox.knows("run 1") and not outbox.knows("run 2")


def test_an_event_without_hooks_is_known_and_goes_nowhere(outbox):
    outbox.add("run 1", message(), {})
    assert outbox.knows("run 1") and outbox.waiting() == 0
    assert outbox.deliver(Receiver(), seconds=60).sent == 0


def test_a_hook_is_tried_again_later_and_later_and_given_up_in_the_end(outbox, clock):
    receiver = Receiver(lambda kind, hook: kind == "webhook")
    outbox.add("run 1", message(), HOOKS)
    assert outbox.deliver(receiver, seconds=60).sent == 1
    for wait in WAITS:
        clock.now += wait - 1
        assert outbox.deliver(receiver, seconds=60).failed == ()
        clock.now += 1
        (failed,) = outbox.deliver(receiver, seconds=60).failed
        assert failed.given_up == (wait is WAITS[-1]) and failed.reason == "away"
    clock.now += 10 * WAITS[-1]
    assert outbox.deliver(receiver, seconds=60).failed == ()
    assert receiver.tried.count(("reviews", "webhook")) == len(WAITS) + 1
    assert outbox.waiting() == 0


def test_a_hook_that_fails_is_called_once_a_pass_and_holds_up_no_other(outbox):
    receiver = Receiver(lambda kind, hook: hook.get("url_env") == "bad")
    for number in range(5):
        outbox.add(f"bad {number}", message("bad"), {"webhook": {"url_env": "bad"}})
    outbox.add("good", message("good"), {"webhook": {"url_env": "good"}})
    delivery = outbox.deliver(receiver, seconds=60)
    assert delivery.sent == 1 and receiver.arrived == [("good", "webhook")]
    assert receiver.tried.count(("bad", "webhook")) == 1 and outbox.waiting() == 5


def test_nothing_more_is_started_when_the_time_is_over(outbox):
    receiver = Receiver()
    for number in range(3):
        outbox.add(str(number), message(), {"command": {"command": ["mail"]}})
    assert outbox.deliver(receiver, seconds=-1).sent == 0
    assert outbox.waiting() == 3
    assert outbox.deliver(receiver, seconds=60).sent == 3


def test_a_crash_while_sending_loses_nothing_and_repeats_only_what_was_under_way(outbox):
    for number in range(3):
        outbox.add(str(number), message(str(number)), {"command": {"command": [str(number)]}})
    arrived = []

    def crashing(given: Message, kind: str, hook: Mapping[str, Any]) -> None:
        arrived.append(given.recipe)
        if len(arrived) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outbox.deliver(crashing, seconds=60)
    again = Receiver()
    Outbox(outbox.path.parent, clock=outbox.clock).deliver(again, seconds=60)
    assert sorted(recipe for recipe, _ in again.arrived) == sorted({"0", "1", "2"} - {arrived[0]})


def test_two_never_send_at_once(outbox, tmp_path):
    with outbox.alone() as first, Outbox(tmp_path).alone() as second:
        assert first and not second
    with Outbox(tmp_path).alone() as third:
        assert third


def test_what_has_ended_long_ago_is_forgotten_and_what_waits_is_not(outbox, clock):
    outbox.add("sent", message(), {"command": {"command": ["mail"]}})
    outbox.deliver(Receiver(), seconds=60)
    outbox.add("waits", message(), {"webhook": {"url_env": "A"}})
    clock.now += KEPT_SECONDS + 1
    outbox.deliver(Receiver(lambda kind, hook: True), seconds=60)
    assert not outbox.knows("sent") and outbox.knows("waits")


def test_no_secret_is_stored(outbox, monkeypatch):
    monkeypatch.setenv("A", "http://host/secret-path")
    outbox.add("run 1", message(), HOOKS)
    assert b"secret-path" not in outbox.path.read_bytes()
    assert json.dumps(HOOKS["webhook"]).encode() in outbox.path.read_bytes()
