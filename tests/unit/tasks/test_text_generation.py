import json
from dataclasses import replace

import numpy as np
import peft
import pyarrow as pa
import pytest
import torch

from luthier.evaluation.scores import point
from luthier.models.loading import load_model, load_tokenizer
from luthier.tasks import TASKS
from luthier.tasks.head import Head
from luthier.tasks.task import BaselineInputs, Inference
from luthier.training.finetuning import finetune
from luthier.training.trainable import trainable_model
from luthier.training.trainer import build_trainer
from tests.unit.tasks.conftest import table
from tests.unit.tasks.word_models import CHAT_TEMPLATE, word_tokenizer, write_word_model

TASK, HEAD = TASKS["text-generation"], Head("causal-lm")
WORDS = ("red", "blue", "green", "gold", "grey", "pink")
HOW = Inference(max_length=32, max_new_tokens=6)
DIALOG = [
    {"role": "system", "content": "gold"},
    {"role": "user", "content": "red"},
    {"role": "assistant", "content": "blue pink"},
    {"role": "user", "content": "green"},
]


def dialogs(*answers: str | None) -> pa.Table:
    rows = table(["gold red blue pink green"] * len(answers), answers)
    messages = pa.array([json.dumps(DIALOG)] * len(answers))
    return rows.set_column(rows.schema.get_field_index("messages"), "messages", messages)


def echoes(rows: int, *, seed: int) -> pa.Table:
    """Texts of two to four words, whose answer is the first two."""
    random = np.random.default_rng(seed)
    texts = [list(random.choice(WORDS, random.integers(2, 5))) for _ in range(rows)]
    return table([" ".join(text) for text in texts], [" ".join(text[:2]) for text in texts])


@pytest.fixture(scope="module")
def tokenizer():
    return word_tokenizer(WORDS, template=CHAT_TEMPLATE)


@pytest.fixture(scope="module")
def base(tokenizer, tmp_path_factory):
    return write_word_model("llama", tmp_path_factory.mktemp("llama"), tokenizer)


@pytest.fixture
def model(base):
    return load_model(base, HEAD, dtype=torch.float32, attention="eager")


def learned(encoded, tokenizer) -> list[list[str]]:
    """The words of each feature's labels."""
    return [
        tokenizer.convert_ids_to_tokens([token for token in labels if token != -100])
        for labels in encoded.columns["labels"]
    ]


def batch_of(rows: pa.Table, tokenizer, model, *, max_length: int = 32) -> dict:
    columns = TASK.encode(rows, tokenizer, HEAD, max_length=max_length).columns
    features = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return dict(TASK.collator(tokenizer, HEAD, model.config)(features))


def test_every_turn_of_the_assistant_is_learned_with_its_end_and_nothing_else(tokenizer):
    encoded = TASK.encode(dialogs("gold", ""), tokenizer, HEAD, max_length=32)
    before = ["blue", "pink", "<|end|>"]
    assert learned(encoded, tokenizer) == [[*before, "gold", "<|end|>"], [*before, "<|end|>"]]
    assert encoded.columns["row"] == [0, 1]
    assert not any(encoded.counts.values())


def test_a_text_without_a_conversation_is_what_the_user_says(tokenizer):
    encoded = TASK.encode(table(["red"], ["blue"]), tokenizer, HEAD, max_length=32)
    words = tokenizer.convert_ids_to_tokens(encoded.columns["input_ids"][0])
    assert " ".join(words) == "<|turn|> user: red <|end|> <|turn|> assistant: blue <|end|>"


def test_a_prompt_loses_its_beginning_and_an_answer_its_end_and_both_are_counted(tokenizer):
    rows = table(["red blue green gold grey", "red", "red blue green gold"], ["pink", "blue", "pink " * 12])
    encoded = TASK.encode(rows, tokenizer, HEAD, max_length=8)
    shown = [" ".join(tokenizer.convert_ids_to_tokens(ids)) for ids in encoded.columns["input_ids"]]
    assert shown == [
        "green gold grey <|end|> <|turn|> assistant: pink <|end|>",
        "<|turn|> user: red <|end|> <|turn|> assistant: blue <|end|>",
        "<|turn|> assistant:" + " pink" * 6,
    ]
    assert learned(encoded, tokenizer)[2] == ["pink"] * 6
    expected = {"truncated_prompts": 2, "truncated_answers": 1, "template_mismatch": 0, "unlearnable": 0}
    assert encoded.counts == expected


def test_a_conversation_cut_within_an_answer_does_not_learn_its_first_token(tokenizer):
    encoded = TASK.encode(dialogs("gold"), tokenizer, HEAD, max_length=11)
    words = tokenizer.convert_ids_to_tokens(encoded.columns["input_ids"][0])
    assert words[:3] == ["blue", "pink", "<|end|>"]
    assert learned(encoded, tokenizer) == [["pink", "<|end|>", "gold", "<|end|>"]]


def test_a_table_without_rows_has_no_features_and_no_answers(model, tokenizer):
    assert TASK.encode(echoes(0, seed=1), tokenizer, HEAD, max_length=32).columns["input_ids"] == []
    assert TASK.predict(model, tokenizer, echoes(0, seed=1), HEAD, HOW).answers == []


def test_a_row_whose_answer_is_not_found_or_not_there_is_counted_and_not_learned():
    glued = "{% for m in messages %}{{ m['role'] + ':' + m['content'] + '</s>' }}{% endfor %}"
    glued += "{% if add_generation_prompt %}assistant:{% endif %}"
    tokenizer = word_tokenizer([*WORDS, "assistant:red"], template=glued)
    encoded = TASK.encode(table(["red", "red", "red"], ["red", " blue", None]), tokenizer, HEAD, max_length=32)
    assert encoded.columns["row"] == [1]
    assert (encoded.counts["template_mismatch"], encoded.counts["unlearnable"]) == (1, 2)


@pytest.mark.parametrize("method", [None, "lora", "prompt"])
@pytest.mark.parametrize("family", ["gpt2", "llama", "qwen2"])
def test_the_loss_and_its_gradients_are_those_of_all_logits(family, method, tokenizer, tmp_path):
    write_word_model(family, tmp_path, tokenizer)
    rows = table(["red", "blue gold green gold"], ["blue green", "pink"])

    def gradients(restricted: bool) -> tuple[float, dict]:
        model = load_model(tmp_path, HEAD, dtype=torch.float32, attention="eager")
        torch.manual_seed(3)
        if method == "lora":
            config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", init_lora_weights=False)
            model = peft.get_peft_model(model, config)
        elif method == "prompt":
            model = peft.get_peft_model(model, peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3))
        batch = batch_of(rows, tokenizer, model)
        labels, places = batch.pop("labels"), batch["logits_to_keep"]
        if restricted:
            logits = model(**batch).logits
            assert logits.shape[:2] == labels.shape
            loss = TASK.loss(logits, labels, labels.ne(-100).sum())
        else:
            full = torch.full(batch["input_ids"].shape, -100)
            full[:, places + 1] = labels
            loss = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=full).loss
        loss.backward()
        return loss.item(), {n: p.grad for n, p in model.named_parameters() if p.grad is not None}

    (found, given), (expected, wanted) = gradients(True), gradients(False)
    assert found == pytest.approx(expected, rel=1e-5)
    assert given.keys() == wanted.keys() != set()
    for name in wanted:
        torch.testing.assert_close(given[name], wanted[name], atol=1e-6, rtol=1e-4)


def test_a_smoothed_loss_is_torchs_own():
    torch.manual_seed(1)
    logits, labels = torch.randn(2, 3, 7), torch.tensor([[1, -100, 4], [-100, -100, 6]])
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.2)
    assert TASK.loss(logits, labels, 3, label_smoothing=0.2).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("shape", [(4, 2), (2, 4), (3, 3)])
def test_accumulated_gradients_equal_those_of_the_large_batch(shape, base, fine_tuning, tmp_path):
    def first_step(batch_size: int, accumulation: int) -> dict:
        settings = {"batch_size": batch_size, "gradient_accumulation": accumulation, "group_by_length": False}
        rows = echoes(9, seed=1)
        job = fine_tuning(TASK, HEAD, "perplexity", base, rows, rows, epochs=1, **settings)
        trainer = build_trainer(job, trainable_model(job), tmp_path / f"{batch_size}x{accumulation}", extra=[])
        trainer.train()
        return trainer.state.log_history[0]

    large, small = first_step(shape[0] * shape[1], 1), first_step(*shape)
    assert small["loss"] == pytest.approx(large["loss"], rel=1e-5)
    assert small["grad_norm"] == pytest.approx(large["grad_norm"], rel=1e-4)


@pytest.mark.parametrize("packing", [False, True])
def test_a_model_learns_to_echo_and_does_so_for_texts_it_never_saw(packing, base, tokenizer, fine_tuning, tmp_path):
    settings = {
        "epochs": 20,
        "learning_rate": 1e-2,
        "packing": packing,
        "batch_size": 8 if packing else 16,
        "group_by_length": False,
    }
    train, validation = echoes(400, seed=1), echoes(40, seed=2)
    job = fine_tuning(TASK, HEAD, "rouge_l", base, train, validation, early_stopping={"patience": 20}, **settings)
    output = tmp_path / "output"
    output.mkdir()
    facts = finetune(job, work=tmp_path / "work", output=output, on_metrics=lambda values, step: None)
    tuned = job.method.load(base, output, HEAD, dtype=torch.float32, attention="eager")
    found = TASK.predict(tuned, tokenizer, validation, HEAD, HOW)
    assert point("exact_match", *TASK.compared("exact_match", validation, found, HEAD)) == 1.0
    assert list(found.cut) == [False] * len(validation)
    # The word has room, its end has not.
    short = TASK.predict(tuned, tokenizer, validation, HEAD, replace(HOW, max_new_tokens=1))
    assert list(short.cut) == [True] * len(validation)
    perplexity = point("perplexity", *TASK.compared("perplexity", validation, found, HEAD))
    assert perplexity == pytest.approx(facts.best_score, rel=1e-5)
    assert perplexity < 1.2
    untuned = TASK.baselines(BaselineInputs(validation, validation, HEAD, base, HOW))["untuned base"]
    assert point("perplexity", *TASK.compared("perplexity", validation, untuned, HEAD)) > 5


def test_evidence_is_the_likelihood_of_each_token_of_the_answers_one_row_at_a_time(model, tokenizer):
    rows = pa.concat_tables([dialogs("gold"), echoes(5, seed=3)])
    found = TASK.predict(model, tokenizer, rows, HEAD, replace(HOW, batch_size=3))
    columns = TASK.encode(rows, tokenizer, HEAD, max_length=32).columns
    for ids, labels, evidence in zip(columns["input_ids"], columns["labels"], found.evidence, strict=True):
        with torch.no_grad():
            losses = -model(torch.tensor([ids])).logits[0].log_softmax(dim=-1)
        expected = [losses[place - 1, token] for place, token in enumerate(labels) if token != -100]
        assert evidence.dtype == np.float32
        np.testing.assert_allclose(evidence, torch.stack(expected), rtol=1e-5)
    kept = [[losses.sum(), len(losses)] for losses in found.evidence]
    batch = batch_of(rows, tokenizer, model)
    labels = batch.pop("labels")
    with torch.no_grad():
        np.testing.assert_allclose(TASK.kept(model(**batch).logits, labels), kept, rtol=1e-5)


def test_text_is_generated_for_the_first_rows_and_only_they_are_compared(model, tokenizer):
    rows = echoes(5, seed=3)
    found = TASK.predict(model, tokenizer, rows, HEAD, replace(HOW, generated_rows=2))
    assert [answer is None for answer in found.answers] == [False, False, True, True, True]
    assert TASK.compared("rouge_l", rows, found, HEAD) == (rows["label"].to_pylist()[:2], found.answers[:2])
    assert len(TASK.compared("perplexity", rows, found, HEAD)[0]) == 5


def test_generation_is_greedy_whatever_the_models_own_settings_and_the_size_of_batches(model, tokenizer):
    rows = echoes(12, seed=3)
    alone = TASK.predict(model, tokenizer, rows, HEAD, replace(HOW, batch_size=1))
    settings = {"do_sample": True, "temperature": 9.0, "num_beams": 3, "repetition_penalty": 4.0, "min_length": 30}
    for name, value in settings.items():
        setattr(model.generation_config, name, value)
    assert TASK.predict(model, tokenizer, rows, HEAD, HOW).answers == alone.answers

    prompt = TASK.prompts(rows.slice(0, 1), tokenizer, HEAD, max_length=32)[0]
    written: list[int] = []
    while len(written) < HOW.max_new_tokens and not {*written} & {tokenizer.eos_token_id, 5}:
        with torch.no_grad():
            written.append(model(torch.tensor([prompt + written])).logits[0, -1].argmax().item())
    assert alone.answers[0] == tokenizer.decode(written, skip_special_tokens=True).strip()


def test_a_row_without_an_answer_is_answered_and_has_no_evidence(model, tokenizer):
    found = TASK.predict(model, tokenizer, dialogs(None, "gold"), HEAD, HOW)
    assert [len(losses) for losses in found.evidence] == [0, 5]
    assert found.answers[0] == found.answers[1]


def test_a_long_prompt_leaves_room_for_the_answer_in_a_model_of_few_positions(tokenizer, tmp_path):
    write_word_model("gpt2", tmp_path, tokenizer)
    model, tokenizer = load_model(tmp_path, HEAD, dtype=torch.float32, attention="eager"), load_tokenizer(tmp_path)
    rows = table(["red blue " * 200], ["gold"])
    found = TASK.predict(model, tokenizer, rows, HEAD, Inference(max_length=128, max_new_tokens=500))
    assert len(found.answers[0].split()) <= 64
