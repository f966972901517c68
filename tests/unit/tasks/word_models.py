"""Tiny models whose tokens are words, made from nothing for what a test teaches them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.tiny_models import FAMILIES

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
ROLES = ("system:", "user:", "assistant:", "Summarize:")
# An answer ends with a token that is not the tokenizer's end token, as chat models have it.
CHAT = ("<|turn|>", "<|end|>")
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|turn|>' + m['role'] + ':\n' + m['content'] + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|turn|>assistant:\n' }}{% endif %}"
)


def word_tokenizer(words: Sequence[str], *, template: str | None = None, around: str = "$A") -> Any:
    """Words parted by white space; ``around`` says what is put around a text."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: index for index, word in enumerate([*SPECIAL, *CHAT, *ROLES, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ids = [(name, vocabulary[name]) for name in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single=around, special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens=list(CHAT),
        **({"chat_template": template} if template else {}),
    )


def write_word_model(family: str, folder: Path, tokenizer: Any, *, seed: int = 0) -> Path:
    """A model of ``family`` with random weights for the tokens of ``tokenizer``; ``folder`` itself."""
    import torch

    torch.manual_seed(seed)
    ids = {name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")}
    FAMILIES[family](vocab_size=len(tokenizer), **ids).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
