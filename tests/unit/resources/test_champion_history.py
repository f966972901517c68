"""The record of champions: what was before what, and who was taken back."""

from hypothesis import given
from hypothesis import strategies as st

from resources.champion_history import PREFIX, ChampionChange, champions_before, read_history, withdrawal


def changes(*told: tuple[str, str]) -> list[ChampionChange]:
    """Kinds and versions, each in the place of the one before it."""
    befores = [None, *(version for _, version in told)]
    return [
        ChampionChange.now(kind, version, before, reason=f"to {version}", by="ann")
        for (kind, version), before in zip(told, befores, strict=False)
    ]


def test_a_second_rollback_goes_further_back_and_not_forth_again():
    history = changes(("promotion", "1"), ("promotion", "2"), ("promotion", "3"))
    assert champions_before(history) == ["1", "2"]
    history += [ChampionChange.now("rollback", "2", "3", reason="", by="ann")]
    assert champions_before(history) == ["1"]
    history += [ChampionChange.now("promotion", "4", "2", reason="", by="ann")]
    assert champions_before(history) == ["1", "2"]
    assert champions_before([]) == []


def test_a_champion_from_before_the_record_is_known_by_what_replaced_it():
    assert champions_before([ChampionChange.now("promotion", "8", "7", reason="", by="ann")]) == ["7"]


def test_only_going_back_withdraws_and_only_until_the_next_promotion():
    history = changes(("promotion", "1"), ("promotion", "2"), ("rollback", "1"))
    found = withdrawal(history, "2")
    assert found is not None and (found.kind, found.reason) == ("rollback", "to 1")
    assert withdrawal(history, "1") is None and withdrawal(history, "3") is None
    assert withdrawal(changes(("promotion", "1"), ("promotion", "2")), "1") is None
    again = [*history, ChampionChange.now("promotion", "2", "1", reason="", by="ann")]
    assert withdrawal(again, "2") is None


def test_an_alias_that_somebody_moved_back_in_mlflow_withdraws_as_well():
    assert withdrawal(changes(("promotion", "9"), ("promotion", "10"), ("found", "9")), "10") is not None
    assert withdrawal(changes(("promotion", "9"), ("found", "10")), "9") is None


@given(st.lists(st.tuples(st.sampled_from(["promotion", "rollback", "found"]), st.sampled_from("123456"))))
def test_the_record_comes_back_in_order_and_names_no_champion_twice(told):
    history = changes(*told)
    assert read_history(dict(change.as_tag() for change in history)) == history
    before = champions_before(history)
    assert len(set(before)) == len(before)
    assert not history or history[-1].version not in before


def test_changes_of_one_moment_do_not_overwrite_each_other_and_other_tags_are_no_changes():
    (change,) = changes(("promotion", "1"))
    keys = {change.as_tag()[0] for _ in range(100)}
    assert len(keys) == 100 and all(key.startswith(PREFIX) for key in keys)
    assert read_history({"owner": "ann", **dict([change.as_tag()])}) == [change]


def test_a_record_fits_the_registry_however_long_the_reason():
    change = ChampionChange.now("promotion", "1", None, reason="x" * 10_000, by="ann")
    assert len(change.as_tag()[1]) < 5000
