import pytest

from luthier.errors import ModelError
from luthier.tasks.chat import DEFAULT_CHAT_TEMPLATE, end_of_turn, prompt_text, rendered, with_chat_template
from tests.tiny_models import byte_tokenizer
from tests.unit.tasks.word_models import CHAT_TEMPLATE, word_tokenizer

WORDS = ("red", "blue", "green", "gold")
DIALOG = [
    {"role": "user", "content": "red"},
    {"role": "assistant", "content": "blue"},
    {"role": "user", "content": "green"},
    {"role": "assistant", "content": "gold"},
]


def texts(found) -> list[str]:
    return [found.text[start:end] for start, end in found.answers]


def test_answers_are_what_the_assistant_says_with_its_end_of_turn():
    found = rendered(word_tokenizer(WORDS, template=CHAT_TEMPLATE), DIALOG)
    assert texts(found) == ["blue<|end|>", "gold<|end|>"]
    assert found.text.startswith("<|turn|>user:\nred<|end|>\n<|turn|>assistant:\nblue")
    assert found.prompt.endswith("green<|end|>\n<|turn|>assistant:\n")


def test_a_tokenizer_without_a_template_gets_one_that_is_saved_with_it(tmp_path):
    from luthier.models.loading import load_tokenizer

    tokenizer = with_chat_template(word_tokenizer(WORDS))
    assert texts(rendered(tokenizer, DIALOG)) == ["blue</s>", "gold</s>"]
    tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.chat_template == DEFAULT_CHAT_TEMPLATE
    assert rendered(again, DIALOG) == rendered(tokenizer, DIALOG)


def test_a_template_of_its_own_is_left_alone():
    assert with_chat_template(word_tokenizer(WORDS, template=CHAT_TEMPLATE)).chat_template == CHAT_TEMPLATE


def test_the_end_of_a_turn_is_what_the_template_writes_and_not_what_the_tokenizer_calls_its_end():
    tokenizer = word_tokenizer(WORDS, template=CHAT_TEMPLATE)
    assert end_of_turn(tokenizer) == tokenizer.convert_tokens_to_ids("<|end|>") != tokenizer.eos_token_id
    plain = word_tokenizer(WORDS)
    assert end_of_turn(plain) == plain.eos_token_id


def test_a_space_before_the_end_of_a_turn_ends_no_answer():
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ '[' + m['role'] + '] ' + m['content'] + ' </s>' }}{% endfor %}"
    assert end_of_turn(tokenizer) == tokenizer.eos_token_id


def test_a_template_that_never_ends_an_answer_is_refused():
    endless = "{% for m in messages %}{{ m['role'] + ':\n' + m['content'] + '\n' }}{% endfor %}"
    with pytest.raises(ModelError, match="where an answer ends"):
        end_of_turn(word_tokenizer(WORDS, template=endless))
    without_end = word_tokenizer(WORDS)
    without_end.eos_token = None
    with pytest.raises(ModelError, match="where an answer ends"):
        end_of_turn(without_end)


def test_a_template_that_rewrites_what_was_said_before_does_not_say_where_answers_stand():
    forgetful = "{{ messages[-2]['content'] + '\n' if messages[1:] else '' }}" + CHAT_TEMPLATE
    assert rendered(word_tokenizer(WORDS, template=forgetful), DIALOG) is None


def test_a_conversation_that_the_template_refuses_has_no_rendering_and_no_prompt():
    strict = "{{ raise_exception('no system') if messages[0]['role'] == 'system' else '' }}" + CHAT_TEMPLATE
    tokenizer = word_tokenizer(WORDS, template=strict)
    system = [{"role": "system", "content": "gold"}]
    assert rendered(tokenizer, system + DIALOG) is None
    assert prompt_text(tokenizer, system + DIALOG[:1]) is None
    assert rendered(tokenizer, DIALOG) is not None
