"""GGUF files beside the model they were made from, read by the gguf package and by transformers."""

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from luthier.errors import ModelError, ParityError
from luthier.models.loading import load_tokenizer
from luthier.packaging.gguf_file import load_gguf, require_llama, require_tokens, write_gguf
from luthier.packaging.gguf_tokens import LLAMA3, PRE_TOKENIZERS, vocabulary
from luthier.packaging.targets.gguf import Gguf
from tests.tiny_models import CHAT_TEMPLATE
from tests.unit.packaging.targets.proven import proven
from tests.unit.packaging.tuned import TEXTS

EXACT = Gguf(precision="float32")
DIGITS, BYTES = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
LLAMA3_STEPS = [
    pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
]
SPLITTERS = {
    "gpt-2": (BYTES, False),
    "smollm": (pre_tokenizers.Sequence([DIGITS, BYTES]), False),
    "llama-bpe": (pre_tokenizers.Sequence(LLAMA3_STEPS), True),
}


def bpe(splitter=BYTES, *, whole: bool = False) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with merges of its own."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=whole))
    tokenizer.pre_tokenizer, tokenizer.decoder = splitter, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        show_progress=False,
        special_tokens=["<pad>", "<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(TEXTS * 20, trainer)
    names = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=CHAT_TEMPLATE, **names)


def write_llama(folder: Path, *, splitter: str = "gpt-2", tied: bool = True, **settings) -> Path:
    """Grouped queries, and more embeddings than tokens."""
    folder.mkdir()
    kind, whole = SPLITTERS[splitter]
    tokenizer = bpe(kind, whole=whole)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "max_position_embeddings": 128}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": tied}
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    LlamaForCausalLM(LlamaConfig(**{"vocab_size": 304, **sizes, **heads, **ids, **settings})).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def logits(model, tokenizer) -> np.ndarray:
    with torch.inference_mode():
        return model.eval()(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits.numpy()


@pytest.mark.parametrize(("tied", "head_dim"), [(True, None), (False, None), (True, 12)])
def test_transformers_reads_back_the_very_logits(tied, head_dim, tmp_path):
    folder = write_llama(tmp_path / "model", tied=tied, **({"head_dim": head_dim} if head_dim else {}))
    known = logits(LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager"), load_tokenizer(folder))
    file = write_gguf(folder, tmp_path, name="tiny", precision="float32")
    np.testing.assert_array_equal(logits(load_gguf(file), load_tokenizer(folder)), known)
    names = [tensor.name for tensor in gguf.GGUFReader(file).tensors]
    assert ("output.weight" in names) == (not tied)


def test_float16_is_the_same_model_with_its_matrices_rounded(tmp_path):
    folder = write_llama(tmp_path / "model")
    model = LlamaForCausalLM.from_pretrained(folder, attn_implementation="eager")
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data = parameter.data.half().float()
    file = write_gguf(folder, tmp_path, name="tiny", precision="float16")
    np.testing.assert_array_equal(
        logits(load_gguf(file), load_tokenizer(folder)), logits(model, load_tokenizer(folder))
    )
    assert {tensor.tensor_type.name for tensor in gguf.GGUFReader(file).tensors} == {"F16", "F32"}


def test_the_file_is_named_and_described_as_llama_cpp_has_it(tmp_path):
    folder = write_llama(tmp_path / "model")
    file = write_gguf(folder, tmp_path, name="my model", precision="float16")
    fields = {name: field.contents() for name, field in gguf.GGUFReader(file).fields.items()}
    assert file.name == "my-model-28K-F16.gguf"
    assert fields["general.architecture"] == "llama" and fields["general.name"] == "my model"
    assert fields["general.file_type"] == gguf.LlamaFileType.MOSTLY_F16
    assert (fields["llama.attention.head_count"], fields["llama.attention.head_count_kv"]) == (4, 2)
    assert (fields["llama.rope.dimension_count"], fields["llama.rope.freq_base"]) == (8, 10000.0)
    tokenizer = load_tokenizer(folder)
    assert fields["tokenizer.ggml.tokens"] == tokenizer.convert_ids_to_tokens(range(len(tokenizer))) + [
        f"[PAD{number}]" for number in range(len(tokenizer), 304)
    ]
    assert fields["tokenizer.ggml.token_type"][:4] == [3, 3, 3, 1] and fields["tokenizer.ggml.token_type"][-1] == 5
    assert (fields["tokenizer.ggml.pre"], fields["tokenizer.ggml.add_bos_token"]) == ("gpt-2", False)
    assert fields["tokenizer.ggml.eos_token_id"] == fields["tokenizer.ggml.eot_token_id"] == tokenizer.eos_token_id
    assert fields["tokenizer.chat_template"] == CHAT_TEMPLATE


def test_the_tokenizer_that_transformers_reads_gives_the_same_tokens(tmp_path):
    folder = write_llama(tmp_path / "model")
    file = write_gguf(folder, tmp_path, name="tiny", precision="float16")
    read = AutoTokenizer.from_pretrained(tmp_path, gguf_file=file.name)
    tokenizer = load_tokenizer(folder)
    for text in [*TEXTS, "it's 2026, Ünïcode\n\n and <s> too", *tokenizer.get_vocab()]:
        assert read(text)["input_ids"] == tokenizer(text)["input_ids"], text
    chat = [{"role": "user", "content": "Hi"}]
    assert read.apply_chat_template(chat, tokenize=False) == tokenizer.apply_chat_template(chat, tokenize=False)


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_what_splits_texts_into_words_is_called_as_llama_cpp_calls_it(name):
    kind, whole = SPLITTERS[name]
    assert vocabulary(bpe(kind, whole=whole), size=304).pre == name


@pytest.mark.parametrize(
    ("splitter", "whole"),
    [
        (pre_tokenizers.Whitespace(), False),
        (pre_tokenizers.ByteLevel(add_prefix_space=True), False),
        (BYTES, True),
        (pre_tokenizers.Sequence(LLAMA3_STEPS), False),
    ],
)
def test_a_tokenizer_that_llama_cpp_has_no_name_for_is_refused(splitter, whole):
    with pytest.raises(ModelError, match="byte-level BPE"):
        vocabulary(bpe(splitter, whole=whole), size=304)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"attention_bias": True}, "attention_bias"),
        ({"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}}, "linear"),
    ],
)
def test_a_model_that_the_file_cannot_describe_is_refused(settings, said, tmp_path):
    with pytest.raises(ModelError, match=said):
        require_llama(write_llama(tmp_path / "model", **settings))


def test_a_file_with_another_tokenizer_is_refused(tmp_path):
    file = write_gguf(write_llama(tmp_path / "model"), tmp_path, name="tiny", precision="float16")
    other = write_llama(tmp_path / "other", splitter="smollm")
    with pytest.raises(ParityError, match=r"tokenizer\.ggml\.pre"):
        require_tokens(file, other)


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_tuned_model_writes_the_same_texts(precision, tmp_path):
    model = proven("causal", tmp_path, base=write_llama(tmp_path / "base"), modules_to_save=["lm_head"])
    folder, target = tmp_path / "gguf", Gguf(precision=precision)
    folder.mkdir()
    target.write(model, folder)
    facts = target.prove(model, folder)
    assert facts["parity"]["agreeing"] == len(TEXTS) and any(model.expected.answers)
    assert (facts["parity"]["largest_difference"] < 1e-6) == (precision == "float32")


def test_another_models_answers_are_refused(tmp_path):
    model = proven("causal", tmp_path, base=write_llama(tmp_path / "base"))
    folder = tmp_path / "gguf"
    folder.mkdir()
    EXACT.write(model, folder)
    moved = replace(model.expected, evidence=[row * 1.01 for row in model.expected.evidence])
    with pytest.raises(ParityError, match="GGUF"):
        EXACT.prove(replace(model, expected=moved), folder)
