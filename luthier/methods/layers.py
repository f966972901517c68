"""Where the layers lie that methods attach to, by the names that model families give them.

Covered: BERT and its like, DistilBERT, DeBERTa, ModernBERT, GPT-2, Llama and its like, T5, BART.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Final

from luthier.methods.method import Mismatch

Layers = Mapping[str, tuple[int, int]]

# The last parts of names. Wqkv and c_attn make queries, keys and values at once.
QUERIES: Final = ("query", "q_proj", "query_proj", "q_lin", "q", "query_key_value", "qkv_proj", "Wqkv", "c_attn")
KEYS: Final = ("key", "k_proj", "key_proj", "k_lin", "k", "query_key_value", "qkv_proj", "Wqkv", "c_attn")
VALUES: Final = ("value", "v_proj", "value_proj", "v_lin", "v", "query_key_value", "qkv_proj", "Wqkv", "c_attn")

# The layers that end a block, from the block's number on; a block's cross-attention is not among them.
ATTENTION_ENDS: Final = (
    "attention.output.dense",
    "attention.out_lin",
    "attn.Wo",
    "attn.c_proj",
    "self_attn.o_proj",
    "self_attn.out_proj",
    "SelfAttention.o",
)
FEED_FORWARD_ENDS: Final = (
    "output.dense",
    "ffn.lin2",
    "mlp.Wo",
    "mlp.c_proj",
    "mlp.down_proj",
    "DenseReluDense.wo",
    "fc2",
)


def pattern(*, names: Sequence[str] = (), block_ends: Sequence[str] = ()) -> str:
    """A regular expression that the whole names of some layers match, as PEFT takes it."""
    parts = [rf".*\.({'|'.join(names)})"] if names else []
    if block_ends:
        parts.append(rf".*\.\d+\.({'|'.join(map(re.escape, block_ends))})")
    return "|".join(parts)


def matching(layers: Iterable[str], targets: str | Sequence[str]) -> list[str]:
    """The layers that PEFT would target: all that a pattern matches, or whose name ends in one of some names."""
    if isinstance(targets, str):
        return [name for name in layers if re.fullmatch(targets, name)]
    return [name for name in layers if any(name == target or name.endswith(f".{target}") for target in targets)]


def unmatched(field: str, targets: Sequence[str], layers: Layers) -> list[Mismatch]:
    """The names that no linear layer has, each with the nearest that one has."""
    names = last_parts(layers)
    rule = f"matches no linear layer of the model, which has {', '.join(names) or 'none'}"
    return [
        Mismatch(field, target, rule, closest(target, names)) for target in targets if not matching(layers, [target])
    ]


def shortest(chosen: Sequence[str], layers: Layers) -> list[str]:
    """What names just these layers to PEFT: what they are called within their parents, else their whole names."""
    short = last_parts(chosen)
    return short if len(matching(layers, short)) == len(chosen) else sorted(chosen)


def within(name: str, modules: Iterable[str]) -> bool:
    """Whether a layer is one of some modules, or a part of one; modules are named by the end of their names."""
    return any(f".{module.lstrip('.')}." in f".{name}." for module in modules)


def closest(name: str, names: Sequence[str]) -> str | None:
    """The most similar of some names, if one is similar."""
    return next(iter(get_close_matches(name, names, n=1)), None)


def last_parts(names: Iterable[str]) -> list[str]:
    """What modules are called within their parents."""
    return sorted({name.rpartition(".")[2] for name in names})
