import pytest

from luthier.errors import LuthierError
from pipelines.prediction import paired, printed, require_columns


def test_one_pair_is_for_all_texts_and_several_are_one_for_each():
    assert paired(["who?"], ["a", "b"]) == ["who?", "who?"]
    assert paired(["who?", "what?"], ["a", "b"]) == ["who?", "what?"]
    with pytest.raises(LuthierError, match="2 for 3 texts"):
        paired(["who?", "what?"], ["a", "b", "c"])


@pytest.mark.parametrize(
    ("given", "known", "said"),
    [
        (["text"], ["text", "pair"], "the model needs pair\n.*text.*\nremedy: give one with --pair"),
        (["text", "pair"], ["text"], "the model reads no pair\n.*text, pair.*\nremedy: give text$"),
    ],
)
def test_columns_that_are_missing_or_not_read_are_named(given, known, said):
    with pytest.raises(LuthierError, match=said):
        require_columns("reviews", given, required=known, known=known)
    require_columns("reviews", known, required=known, known=known)


@pytest.mark.parametrize(
    ("answer", "given", "line"),
    [
        ({"text": "a film", "label": "good", "probability": 0.98765}, ["text"], "good  0.988  a film"),
        (
            {"text": "Ann left.", "pair": "who?", "answer": "Ann", "score": 0.5, "start": 0, "end": 3},
            ["text", "pair"],
            "Ann  0.500  0  3  Ann left.  who?",
        ),
        ({"text": "Hi", "answer": "Hello"}, ["text"], "Hello  Hi"),
    ],
)
def test_a_line_has_what_the_model_says_before_what_it_was_asked(answer, given, line):
    assert printed(answer, given) == line
