import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM

from luthier.errors import ModelError
from luthier.models.masked_language_model import has_masked_language_head, load_fill_masks
from tests.conftest import BAD, GOOD, PLAIN, write_tokenizer

WORDS = {*GOOD, *BAD, *PLAIN}


@pytest.fixture(scope="module")
def masked_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masked-bert")
    write_tokenizer(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    BertForMaskedLM(BertConfig(vocab_size=49, max_position_embeddings=32, **sizes)).save_pretrained(folder)
    return folder


TEXTS = ["the Good, film 7", "house light sound end", "great"]
PLACES = [[1], [0, 3], [0]]


def test_the_chosen_words_become_other_whole_words_and_nothing_else_changes(masked_bert):
    fill_masks = load_fill_masks(masked_bert, seed=1)
    for before, at, after in zip(TEXTS, PLACES, fill_masks(TEXTS, PLACES), strict=True):
        assert len(before.split()) == len(after.split())
        for place, (one, other) in enumerate(zip(before.split(), after.split(), strict=True)):
            if place in at:
                assert other.strip(",") in WORDS and other.strip(",") != one.strip(",").lower()
                assert other.endswith(",") == one.endswith(",")
            else:
                assert other == one


def test_the_same_seed_draws_the_same_words_in_any_order_and_another_seed_others(masked_bert):
    many = [f"{one} {other} film" for one in GOOD for other in BAD]
    at = [[0, 2]] * len(many)
    first = load_fill_masks(masked_bert, seed=1)(many, at)
    assert first == load_fill_masks(masked_bert, seed=1)(many[::-1], at)[::-1]
    assert first != load_fill_masks(masked_bert, seed=2)(many, at)
    assert len({text.split()[0] for text in first}) > 3


def test_the_words_drawn_are_among_the_ten_likeliest(masked_bert):
    from transformers import AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(masked_bert), BertForMaskedLM.from_pretrained(masked_bert).eval()
    tokens = tokenizer("house [MASK] sound", return_tensors="pt")
    with torch.inference_mode():
        scores = model(**tokens).logits[0, 2]
    likeliest = [tokenizer.decode(index) for index in scores.argsort(descending=True)]
    allowed = [word for word in likeliest if word in WORDS - {"light"}][:10]
    drawn = {load_fill_masks(masked_bert, seed=seed)(["house light sound"], [[1]])[0].split()[1] for seed in range(60)}
    assert len(drawn) > 5 and drawn <= set(allowed)


@pytest.mark.parametrize("text", ["... film", "[MASK] film"])
def test_punctuation_and_texts_with_a_mask_of_their_own_stay(masked_bert, text):
    assert load_fill_masks(masked_bert, seed=1)([text], [[0]]) == [text]


def test_words_beyond_the_longest_input_stay(masked_bert):
    text = " ".join(["film"] * 60)
    (filled,) = load_fill_masks(masked_bert, seed=1)([text], [[0, 59]])
    words = filled.split()
    assert words[0] != "film" and words[1:] == ["film"] * 59


def test_a_model_without_the_head_is_refused_with_the_remedy(tiny_bert):
    assert not has_masked_language_head(tiny_bert)
    with pytest.raises(ModelError, match=r"remedy: .*data\.augmentation\.model"):
        load_fill_masks(tiny_bert, seed=1)


def test_a_decoder_has_no_masked_language_head(tiny_llama):
    assert not has_masked_language_head(tiny_llama)


def copied(base: Path, folder: Path, *, without: str) -> Path:
    shutil.copytree(base, folder)
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if without not in name}
    assert len(kept) < len(tensors)
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_an_architecture_that_is_only_said_is_not_believed(masked_bert, tmp_path):
    assert has_masked_language_head(masked_bert)
    assert not has_masked_language_head(copied(masked_bert, tmp_path / "headless", without="cls."))


def test_a_head_that_lacks_a_weight_is_refused(masked_bert, tmp_path):
    folder = copied(masked_bert, tmp_path / "partial", without="transform.dense.weight")
    with pytest.raises(ModelError, match=r"weights are missing: cls\.predictions\.transform\.dense\.weight"):
        load_fill_masks(folder, seed=1)


def test_a_head_without_its_architecture_in_the_configuration_is_refused(masked_bert, tmp_path):
    folder = tmp_path / "unnamed"
    shutil.copytree(masked_bert, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["BertForSequenceClassification"]}))
    assert not has_masked_language_head(folder)
