from hypothesis import given
from hypothesis import strategies as st

from luthier.data.answers import LEAST_WORDS, answers_in_prompts

WORDS = st.lists(st.sampled_from("abc"), max_size=12).map(" ".join)


def _naive(prompts: list[str], answers: list[str]) -> list[tuple[int, int]]:
    return [
        (number, index)
        for number, prompt in enumerate(prompts)
        for index, answer in enumerate(answers)
        if len(answer.split()) >= LEAST_WORDS and f" {answer} " in f" {prompt} "
    ]


@given(st.lists(WORDS, max_size=6), st.lists(WORDS, max_size=6))
def test_every_long_answer_in_a_prompt_is_found_and_no_other(prompts: list[str], answers: list[str]) -> None:
    assert list(answers_in_prompts(prompts, answers)) == _naive(prompts, answers)


def test_a_part_of_a_word_is_no_answer() -> None:
    assert list(answers_in_prompts(["one two three four fives"], ["one two three four five"])) == []
