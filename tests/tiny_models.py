"""Two-layer models of every family with random weights, each with a tokenizer of its own kind."""

import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORDS = ("good", "great", "bad", "awful", "film", "story", "scene", "actor", "plot", "music", "was", "the", "a")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
DECODER = {**SIZES, "num_key_value_heads": 4, "max_position_embeddings": 128, "tie_word_embeddings": True}
CHAT_TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


def word_piece_tokenizer() -> Any:
    """BERT's kind: words, then letters; [CLS] and [SEP] around."""
    from transformers import BertTokenizerFast

    letters = [*string.ascii_lowercase, *string.digits, *".,:?!'"]
    vocabulary = [*SPECIAL, *WORDS, *letters, *(f"##{letter}" for letter in letters)]
    return BertTokenizerFast(vocab={word: index for index, word in enumerate(vocabulary)}, do_lower_case=True)


def byte_tokenizer(around: str | None = None, *, chat: bool = False) -> Any:
    """GPT-2's kind: byte-level BPE, here without merges; ``around`` says what is put around a text, as in '$A </s>'."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(["<pad>", "<s>", "</s>", "<mask>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if around:
        pair = f"{around} {around.replace('A', 'B')}"
        ids = [(name, vocabulary[name]) for name in ("<s>", "</s>")]
        tokenizer.post_processor = processors.TemplateProcessing(single=around, pair=pair, special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        mask_token="<mask>",
        **({"chat_template": CHAT_TEMPLATE} if chat else {}),
    )


def _bert(**sizes: Any) -> Any:
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(BertConfig(**SIZES, max_position_embeddings=128, **sizes))


def _roberta(**sizes: Any) -> Any:
    from transformers import RobertaConfig, RobertaForMaskedLM

    return RobertaForMaskedLM(RobertaConfig(**SIZES, max_position_embeddings=130, **sizes))


def _distilbert(**sizes: Any) -> Any:
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    return DistilBertForMaskedLM(
        DistilBertConfig(dim=32, hidden_dim=64, n_layers=2, n_heads=4, max_position_embeddings=128, **sizes)
    )


def _deberta(**sizes: Any) -> Any:
    from transformers import DebertaV2Config, DebertaV2ForMaskedLM

    relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 16}
    return DebertaV2ForMaskedLM(DebertaV2Config(**SIZES, max_position_embeddings=128, **relative, **sizes))


def _modernbert(**sizes: Any) -> Any:
    from transformers import ModernBertConfig, ModernBertForMaskedLM

    return ModernBertForMaskedLM(
        ModernBertConfig(
            **SIZES,
            max_position_embeddings=128,
            cls_token_id=sizes["bos_token_id"],
            sep_token_id=sizes["eos_token_id"],
            **sizes,
        )
    )


def _gpt2(**sizes: Any) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=128, **sizes))


def _llama(**sizes: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(LlamaConfig(**DECODER, **sizes))


def _qwen2(**sizes: Any) -> Any:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    return Qwen2ForCausalLM(Qwen2Config(**DECODER, **sizes))


def _t5(**sizes: Any) -> Any:
    from transformers import T5Config, T5ForConditionalGeneration

    shape = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    return T5ForConditionalGeneration(T5Config(**shape, decoder_start_token_id=sizes["pad_token_id"], **sizes))


def _bart(**sizes: Any) -> Any:
    from transformers import BartConfig, BartForConditionalGeneration

    sides = {
        f"{side}_{what}": value
        for side in ("encoder", "decoder")
        for what, value in (("layers", 2), ("ffn_dim", 64), ("attention_heads", 4))
    }
    start = {"decoder_start_token_id": sizes["eos_token_id"], "forced_eos_token_id": sizes["eos_token_id"]}
    return BartForConditionalGeneration(BartConfig(d_model=32, max_position_embeddings=128, **sides, **start, **sizes))


FAMILIES: dict[str, Callable[..., Any]] = {
    "bert": _bert,
    "roberta": _roberta,
    "distilbert": _distilbert,
    "deberta-v2": _deberta,
    "modernbert": _modernbert,
    "gpt2": _gpt2,
    "llama": _llama,
    "qwen2": _qwen2,
    "t5": _t5,
    "bart": _bart,
}
WORD_PIECES = ("bert", "distilbert", "deberta-v2")
AROUND = {"roberta": "<s> $A </s>", "modernbert": "<s> $A </s>", "bart": "<s> $A </s>", "t5": "$A </s>"}


def write_tiny_model(family: str, folder: Path, *, seed: int = 0, chat: bool = False) -> Path:
    """A pretrained model of ``family``, as it would come from a hub; ``folder`` itself."""
    import torch

    tokenizer = word_piece_tokenizer() if family in WORD_PIECES else byte_tokenizer(AROUND.get(family), chat=chat)
    torch.manual_seed(seed)
    ids = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    FAMILIES[family](vocab_size=len(tokenizer), **ids).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
