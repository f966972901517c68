import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.tuning.space import Dimension, decoded, encoded, suggest

SPACE = (
    Dimension("training.learning_rate", low=1e-5, high=1e-2, log=True),
    Dimension("method.r", low=2, high=64, integer=True, log=True),
    Dimension("method.target_modules", choices=("auto", ["query", "value"], "all-linear")),
    Dimension("method.use_dora", choices=(True, False)),
    Dimension("method.lora_plus_ratio", low=1.0, high=16.0, when={"method.use_dora": (False,)}),
)


def trials(count: int) -> list[dict]:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, found = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1)), []
    for _ in range(count):
        trial = study.ask()
        found.append((suggest(SPACE, trial), trial.params))
        study.tell(trial, 0.0)
    return found


def test_suggestions_lie_in_the_space_and_conditions_hold():
    for values, _ in trials(40):
        assert all(d.contains(values[d.field]) for d in SPACE if d.field in values)
        assert isinstance(values["method.r"], int)
        assert ("method.lora_plus_ratio" in values) == (values["method.use_dora"] is False)


def test_values_come_back_from_the_database_as_they_were():
    for values, parameters in trials(40):
        assert decoded(SPACE, parameters) == values
        assert encoded(SPACE, values) == parameters


def test_what_a_condition_excludes_is_not_kept():
    given = {d.field: d.choices[0] if d.choices else d.low for d in SPACE}
    assert "method.lora_plus_ratio" not in encoded(SPACE, given)
    assert "method.lora_plus_ratio" in encoded(SPACE, {**given, "method.use_dora": False})


@given(value=st.floats(1e-9, 1e3), log=st.booleans())
def test_a_range_that_includes_a_value_has_it_and_all_it_had(value, log):
    before = Dimension("training.learning_rate", low=1e-4, high=1e-2, log=log)
    wider = before.including(value)
    assert wider.contains(value) and wider.low <= 1e-4 and wider.high >= 1e-2
    assert wider.including(value) is wider


@pytest.mark.parametrize("dimension", SPACE[:4])
def test_a_grid_has_both_ends_and_nothing_outside(dimension):
    points = dimension.grid()
    if dimension.is_range:
        assert points[0] == dimension.low and points[-1] == dimension.high
        assert all(dimension.contains(point) for point in points)
    else:
        assert len(points) == len(dimension.choices)
