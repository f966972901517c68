import numpy as np
import pytest
import torch
import transformers

from luthier.evaluation.scores import point
from luthier.models.loading import load_model
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import BaselineInputs, Inference
from luthier.training.finetuning import finetune
from tests.unit.tasks.conftest import table
from tests.unit.tasks.word_models import CHAT_TEMPLATE, word_tokenizer, write_word_model

TASK = TASKS["summarization"]
CAUSAL, PAIRS = Head("causal-lm"), Head("seq2seq-lm")
WORDS = ("red", "blue", "green", "gold", "grey", "pink")
HOW = Inference(max_length=32, max_new_tokens=4)
AROUND = {"t5": "$A </s>", "bart": "<s> $A </s>"}


def first_words(rows: int, *, seed: int):
    """Texts of two to four words, of which the first says it all."""
    random = np.random.default_rng(seed)
    texts = [list(random.choice(WORDS, random.integers(2, 5))) for _ in range(rows)]
    return table([" ".join(text) for text in texts], [text[0] for text in texts])


def test_the_head_is_that_of_the_base():
    assert TASK.head([], "text", encoder_decoder=True) == PAIRS
    assert TASK.head([], "text", encoder_decoder=False) == CAUSAL


def test_a_causal_model_is_asked_in_a_conversation_and_a_long_text_loses_its_end():
    tokenizer = word_tokenizer(WORDS, template=CHAT_TEMPLATE)
    rows = table(["red blue", "green " * 30], ["gold", "pink " * 9])
    encoded = TASK.encode(rows, tokenizer, CAUSAL, max_length=16)
    shown = [" ".join(tokenizer.convert_ids_to_tokens(ids)) for ids in encoded.columns["input_ids"]]
    before, after = "<|turn|> user: Summarize:", " <|end|> <|turn|> assistant:"
    assert shown == [f"{before} red blue{after} gold <|end|>", before + " green" * 6 + after + " pink" * 4]
    assert encoded.counts["truncated_answers"] == 1
    prompts = TASK.prompts(rows, tokenizer, CAUSAL, max_length=16)
    assert prompts == [ids[: len(p)] for ids, p in zip(encoded.columns["input_ids"], prompts, strict=True)]


def test_with_an_encoder_the_text_has_all_of_the_length_and_long_summaries_are_counted():
    tokenizer = word_tokenizer(WORDS, around="$A </s>")
    rows = table(["red " * 30, "blue", "blue"], ["pink " * 200, "gold", None])
    encoded = TASK.encode(rows, tokenizer, PAIRS, max_length=16)
    assert [len(ids) for ids in encoded.columns["input_ids"]] == [16, 2]
    assert [len(ids) for ids in encoded.columns["labels"]] == [128, 2]
    assert encoded.counts == {"at_limit": 1, "truncated_answers": 1, "unlearnable": 1}


def test_t5_is_told_its_task_and_bart_is_not():
    rows = table(["red"], ["blue"])
    t5 = word_tokenizer(["summarize:", *WORDS, "<extra_id_0>"], around="$A </s>")
    (prompt,) = TASK.prompts(rows, t5, PAIRS, max_length=16)
    assert t5.convert_ids_to_tokens(prompt) == ["summarize:", "red", "</s>"]
    bart = word_tokenizer(WORDS, around=AROUND["bart"])
    (prompt,) = TASK.prompts(rows, bart, PAIRS, max_length=16)
    assert bart.convert_ids_to_tokens(prompt) == ["<s>", "red", "</s>"]


@pytest.mark.parametrize("family", ["t5", "bart"])
def test_the_loss_is_the_models_own_over_the_tokens_of_all_summaries(family, tmp_path):
    tokenizer = word_tokenizer(WORDS, around=AROUND[family])
    write_word_model(family, tmp_path, tokenizer)
    model = load_model(tmp_path, PAIRS, dtype=torch.float32, attention="eager").eval()
    rows = table(["red blue", "green gold grey red"], ["pink", "gold red blue"])
    columns = TASK.encode(rows, tokenizer, PAIRS, max_length=32).columns
    features = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    batch = TASK.collator(tokenizer, PAIRS, model.config)(features)
    labels = batch.pop("labels")
    assert batch["decoder_input_ids"][:, 0].tolist() == [model.config.decoder_start_token_id] * 2
    loss = TASK.loss(model(**batch).logits, labels, labels.ne(-100).sum())
    own = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels).loss
    assert loss.item() == pytest.approx(own.item(), rel=1e-5)
    found = TASK.predict(model, tokenizer, rows, PAIRS, HOW)
    assert np.concatenate(found.evidence).sum() == pytest.approx(own.item() * labels.ne(-100).sum().item(), rel=1e-4)
    assert [len(losses) for losses in found.evidence] == labels.ne(-100).sum(dim=1).tolist()


@pytest.mark.parametrize("head", [CAUSAL, PAIRS])
def test_rows_without_summaries_have_prompts_and_no_features(head):
    tokenizer = word_tokenizer(WORDS)
    encoded = TASK.encode(table(["red"], [None]), tokenizer, head, max_length=32)
    assert encoded.columns["row"] == []
    assert encoded.counts["unlearnable"] == 1
    assert len(TASK.prompts(table(["red"], [None]), tokenizer, head, max_length=32)) == 1
    assert TASK.prompts(table([], []), tokenizer, head, max_length=32) == []


def test_a_small_t5_trained_from_nothing_summarizes_texts_it_never_saw(fine_tuning, tmp_path):
    tokenizer = word_tokenizer(WORDS, around=AROUND["t5"])
    base = write_word_model("t5", tmp_path / "base", tokenizer)
    validation = first_words(60, seed=2)
    settings = {"epochs": 12, "batch_size": 16, "learning_rate": 1e-2, "max_length": 16, "group_by_length": False}
    train, early = first_words(320, seed=1), {"patience": 12}
    job = fine_tuning(TASK, PAIRS, "rouge_l", base, train, validation, early_stopping=early, **settings)
    output = tmp_path / "output"
    output.mkdir()
    finetune(job, work=tmp_path / "work", output=output, on_metrics=lambda values, step: None)
    tuned = transformers.T5ForConditionalGeneration.from_pretrained(output)
    found = TASK.predict(tuned, tokenizer, validation, PAIRS, HOW)
    assert point("rouge_l", *TASK.compared("rouge_l", validation, found, PAIRS)) > 0.9


def test_the_lead_is_the_first_sentence_and_the_base_is_asked_the_same(tmp_path):
    tokenizer = word_tokenizer(WORDS, template=CHAT_TEMPLATE)
    base = write_word_model("llama", tmp_path, tokenizer)
    rows = table(["Red. Blue", "green gold\nGrey. Pink"], ["red", "green"])
    found = TASK.baselines(BaselineInputs(rows, rows, CAUSAL, base, HOW))
    assert found["lead"].answers == ["Red.", "green gold"]
    assert all(answer is not None for answer in found["untuned base"].answers)
    assert point("rouge_l", *TASK.compared("rouge_l", rows, found["lead"], CAUSAL)) == pytest.approx((1 + 2 / 3) / 2)
