"""Words replaced by what a masked language model expects in their place (Kobayashi 2018, arXiv 1805.06201)."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import safe_open

from luthier.data.augmentation import FillMasks
from luthier.errors import ModelError
from luthier.models.configuration import read_config
from luthier.models.loading import load_tokenizer

ARCHITECTURES = ("ForMaskedLM", "ForPreTraining")
CANDIDATES = 10
ROWS_AT_ONCE = 8
CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)


def has_masked_language_head(base: Path) -> bool:
    """Whether the snapshot names a masked language model and holds weights of its head."""
    config = read_config(base)
    named = (config.architectures or [""])[0].endswith(ARCHITECTURES)
    if not named or type(config) not in transformers.MODEL_FOR_MASKED_LM_MAPPING:
        return False
    with torch.device("meta"):
        model = transformers.AutoModelForMaskedLM.from_config(config, attn_implementation="eager")
    heads = {name for name, _ in model.named_children()} - {model.base_model_prefix}
    return any(name.partition(".")[0] in heads for name in _stored_names(base))


def load_fill_masks(base: Path, *, seed: int) -> FillMasks:
    """Replaces words by one of the ten whole words that the snapshot's model finds likeliest there.

    A word keeps its punctuation; one that is all punctuation, or stands beyond the model's longest input, stays.
    Raises ModelError where the head, which transformers would make of random weights, or the mask token is missing.
    """
    if not has_masked_language_head(base):
        raise _unusable(base, "no masked language model's head")
    model, loaded = transformers.AutoModelForMaskedLM.from_pretrained(
        base,
        dtype=torch.float32,
        attn_implementation="eager",
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        output_loading_info=True,
    )
    if loaded["missing_keys"]:
        raise _unusable(base, f"weights are missing: {', '.join(sorted(loaded['missing_keys']))}")
    tokenizer = load_tokenizer(base)
    ids, words = _whole_words(tokenizer)
    if tokenizer.mask_token is None or len(words) < 2:
        raise _unusable(base, "the tokenizer has no mask token or no whole words")
    return _FillMasks(model.eval(), tokenizer, torch.tensor(ids), words, seed).fill


def _unusable(base: Path, what: str) -> ModelError:
    remedy = "name a masked language model in data.augmentation.model, or leave mask out of data.augmentation.kinds"
    return ModelError(what, where=f"words cannot be replaced by {base.name}", remedy=remedy)


def _stored_names(base: Path) -> list[str]:
    names: list[str] = []
    for path in sorted(base.glob("*.safetensors")):
        with safe_open(path, framework="pt") as tensors:
            names += tensors.keys()
    return names


def _whole_words(tokenizer: Any) -> tuple[list[int], list[str]]:
    """Token ids and their alphabetic words: written twice, a whole word makes two words and a piece of one does not."""
    ids, words = [], []
    for index, piece in enumerate(tokenizer.convert_ids_to_tokens(range(len(tokenizer)))):
        twice = tokenizer.convert_tokens_to_string([piece, piece]).split()
        if len(twice) == 2 and twice[0] == twice[1] and twice[0].isalpha():
            ids.append(index)
            words.append(twice[0])
    return ids, words


@dataclass(frozen=True)
class _FillMasks:
    """``words[i]`` is the word of the token ``ids[i]``."""

    model: Any
    tokenizer: Any
    ids: torch.Tensor
    words: Sequence[str]
    seed: int

    def fill(self, texts: Sequence[str], places: Sequence[Sequence[int]]) -> list[str]:
        """The texts with the words at ``places`` replaced; a text that itself holds the mask token stays as it is."""
        filled = list(texts)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        for start in range(0, len(order), ROWS_AT_ONCE):
            batch = order[start : start + ROWS_AT_ONCE]
            replaced = self._replaced([texts[index] for index in batch], [places[index] for index in batch])
            for index, text in zip(batch, replaced, strict=True):
                filled[index] = text
        return filled

    def _replaced(self, texts: Sequence[str], places: Sequence[Sequence[int]]) -> list[str]:
        rows = [text.split() for text in texts]
        chosen = [
            [] if self.tokenizer.mask_token in text else [place for place in sorted(at) if CORE.search(words[place])]
            for text, words, at in zip(texts, rows, places, strict=True)
        ]
        for text, words, at, scores in zip(texts, rows, chosen, self._scores(rows, chosen), strict=True):
            chance = random.Random(f"{self.seed} {at} {text}")
            # Fewer scores than places where the text was cut.
            for place, likely in zip(at, scores, strict=False):
                new = self._drawn(likely, CORE.findall(words[place])[0], chance)
                words[place] = CORE.sub(new, words[place])
        return [" ".join(words) for words in rows]

    def _scores(self, rows: Sequence[Sequence[str]], chosen: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """For each row its masks' scores of shape (masks, whole words)."""
        mask = self.tokenizer.mask_token
        masked = [
            " ".join(CORE.sub(mask, word) if place in at else word for place, word in enumerate(words))
            for words, at in zip(rows, chosen, strict=True)
        ]
        # RoBERTa counts its positions from 2.
        longest = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings - 2)
        tokens = self.tokenizer(masked, truncation=True, max_length=longest, padding=True, return_tensors="pt")
        with torch.inference_mode():
            logits = self.model(**tokens).logits
        is_mask = tokens["input_ids"] == self.tokenizer.mask_token_id
        return [scores[found][:, self.ids] for scores, found in zip(logits, is_mask, strict=True)]

    def _drawn(self, scores: torch.Tensor, original: str, chance: random.Random) -> str:
        scores, best = scores.topk(min(CANDIDATES + 1, len(self.words)))
        words = [self.words[index] for index in best.tolist()]
        others = [index for index, word in enumerate(words) if word.casefold() != original.casefold()][:CANDIDATES]
        return words[chance.choices(others, scores[others].softmax(dim=0).tolist())[0]]
