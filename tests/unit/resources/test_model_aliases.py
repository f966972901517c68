"""Moving the champion's alias on a real registry: atomic, recorded, and caught up with after a death at any step."""

from pathlib import Path

import pytest

from luthier.errors import LuthierError
from resources.model_aliases import ModelAliases
from resources.tracking import Tracking

CODE = """
import mlflow
import pandas

class Upper(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: pandas.DataFrame, params=None):
        return [text.upper() for text in model_input["text"]]

mlflow.models.set_model(Upper())
"""
CHANGING = (
    "set_registered_model_alias",
    "delete_registered_model_alias",
    "set_registered_model_tag",
    "set_model_version_tag",
    "set_tag",
    "delete_tag",
)


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """A real client that dies at the ``step``-th change that is asked of it, before or after making it."""

    def __init__(self, client, step: int, *, before: bool):
        self.client, self.left, self.before = client, step, before

    def __getattr__(self, name):
        method = getattr(self.client, name)
        return self.dying(method) if name in CHANGING else method

    def dying(self, method):
        def call(*arguments, **named):
            self.left -= 1
            if self.left == 0 and self.before:
                raise Killed
            method(*arguments, **named)
            if self.left == 0:
                raise Killed

        return call


@pytest.fixture
def tracking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tracking:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Tracking(home=str(tmp_path / "home"))


@pytest.fixture
def registered(tracking: Tracking, tmp_path: Path):
    """Registers another version of the model m, by a run of its own."""
    import mlflow

    (tmp_path / "model.py").write_text(CODE)
    mlflow.pyfunc.save_model(tmp_path / "package", python_model=str(tmp_path / "model.py"), pip_requirements=["mlflow"])

    def register(number: int) -> str:
        with tracking.run(asset="x", name=f"run {number}", dagster_run_id=f"d{number}", recipe="r") as run:
            run_id = run.mlflow_run_id
        return tracking.register_model(tmp_path / "package", name="m", mlflow_run_id=run_id, tags={}, metrics={})

    return register


def marked(aliases: ModelAliases) -> list[str]:
    """The marks of the runs that made versions, in the order of the versions."""
    client = aliases.registry.store.client
    runs = [
        client.get_run(client.get_model_version("m", found.version).run_id) for found in aliases.registry.versions("m")
    ]
    return [run.data.tags.get("luthier.champion", "") for run in reversed(runs)]


def test_a_promotion_moves_alias_mark_and_reason_and_is_recorded(tracking, registered):
    aliases = tracking.aliases("m")
    assert (aliases.champion, aliases.challenger, aliases.history()) == (None, None, [])
    one, two = registered(1), registered(2)
    aliases.promote(one, over=None, reason="the first", by="run 1")
    aliases.challenge(two, by="run 2")
    assert (aliases.champion, aliases.challenger) == (one, two)
    change = aliases.promote(two, over=one, reason="better", by="ann")
    assert (aliases.champion, aliases.challenger) == (two, None)
    assert marked(aliases) == ["", "m 2"]
    assert tracking.version_tags("m", two)["luthier.promoted_because"] == "better"
    assert [(c.version, c.before, c.reason, c.by) for c in aliases.history()] == [
        (one, None, "the first", "run 1"),
        (two, one, "better", "ann"),
    ]
    assert aliases.history()[-1] == change
    assert aliases.promote(two, over=one, reason="again", by="ann") is None
    assert len(aliases.history()) == 2


def test_the_champion_is_no_challenger_and_the_newest_challenger_is_the_one(tracking, registered):
    aliases = tracking.aliases("m")
    one, two, three = registered(1), registered(2), registered(3)
    aliases.promote(one, over=None, reason="", by="ann")
    aliases.challenge(one, by="ann")
    assert aliases.challenger is None
    aliases.challenge(two, by="ann")
    aliases.challenge(three, by="ann")
    assert (aliases.champion, aliases.challenger) == (one, three)
    assert aliases.registry.versions("m")[0].aliases == ("challenger",)


def test_a_champion_that_changed_since_the_decision_is_not_replaced(tracking, registered):
    aliases = tracking.aliases("m")
    one, two, three = registered(1), registered(2), registered(3)
    aliases.promote(one, over=None, reason="", by="ann")
    aliases.promote(two, over=one, reason="", by="ann")
    with pytest.raises(LuthierError, match="champion has changed in the meantime"):
        aliases.promote(three, over=one, reason="better than version 1", by="run 3")
    with pytest.raises(LuthierError, match="champion has changed in the meantime"):
        aliases.promote(three, over=None, reason="there is none", by="run 3")
    assert aliases.champion == two


def test_an_alias_that_was_moved_in_mlflow_is_found_and_recorded(tracking, registered):
    aliases = tracking.aliases("m")
    one, two = registered(1), registered(2)
    aliases.promote(one, over=None, reason="", by="ann")
    tracking.store.client.set_registered_model_alias("m", "champion", two)
    aliases.settle("run 3")
    found = aliases.history()[-1]
    assert (found.kind, found.version, found.before) == ("found", two, one)
    aliases.settle("run 4")
    assert len(aliases.history()) == 2
    assert marked(aliases) == ["", "m 2"]


@pytest.mark.parametrize("before", [True, False])
def test_a_death_at_any_step_leaves_a_champion_and_the_next_call_catches_up(before, tracking, registered):
    one, two = registered(1), registered(2)
    champion, other, step, deaths = one, two, 0, 0
    tracking.aliases("m").promote(one, over=None, reason="the first", by="ann")
    while True:
        step += 1
        tracking.aliases("m").challenge(other, by="ann")
        dying = tracking.aliases("m")
        dying.registry.store.__dict__["client"] = Mortal(tracking.store.client, step, before=before)
        try:
            dying.promote(other, over=champion, reason="better", by="ann")
        except Killed:
            deaths += 1
        after = tracking.aliases("m")
        assert after.champion in (one, two)
        after.promote(other, over=champion, reason="better", by="ann")
        assert (after.champion, after.challenger) == (other, None)
        assert marked(after) == (["", "m 2"] if other == two else ["m 1", ""])
        history = after.history()
        assert history[-1].version == other and history[-1].before == champion
        assert [c.version for c in history] == [one, *([two, one] * step)[:step]]
        champion, other = other, champion
        if deaths < step:
            break
    # Alias, record, reason, challenger's alias, the old run's mark, the new one's.
    assert deaths == 6
