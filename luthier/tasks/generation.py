"""Texts that a model writes by itself, the likeliest token at a time."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from luthier.methods.shape import longest_input
from luthier.tasks.task import Inference

if TYPE_CHECKING:
    import torch

# All that a model's own generation_config may say otherwise.
GREEDY: Final = {
    "do_sample": False,
    "num_beams": 1,
    "min_length": 0,
    "no_repeat_ngram_size": 0,
    "repetition_penalty": 1.0,
}


@dataclass(frozen=True)
class Generated:
    """A text without special tokens, and the tokens read and written for it.

    ``cut`` says that the limit of new tokens ended it, and no end of the model's own.
    """

    text: str = ""
    prompt_tokens: int = 0
    tokens: int = 0
    cut: bool = False


def generated(
    model: "torch.nn.Module",
    tokenizer: Any,
    prompts: Sequence[list[int]],
    ends: Collection[int],
    how: Inference,
    *,
    heard: Callable[[str], None] | None = None,
) -> list[Generated]:
    """What the model writes after each prompt until a token of ``ends``.

    ``heard`` is told of each piece of the text of a single prompt.

    A prompt that leaves no room for an answer loses its beginning; an empty one has an empty answer. Batches have
    prompts of one length: padding would move what methods put before a text.
    """
    import torch

    config, device = model.config, next(model.parameters()).device
    most = longest_input(config)
    positions = most - _virtual_tokens(model) if most else how.max_length + how.max_new_tokens
    new = min(how.max_new_tokens, positions // 2)
    room = min(how.max_length, positions if config.is_encoder_decoder else positions - new)
    stops = sorted({*ends, *_ends(model)})
    settings = {**GREEDY, "max_new_tokens": new, "eos_token_id": stops, "pad_token_id": tokenizer.pad_token_id}
    read = [prompt[-room:] for prompt in prompts]
    found = [Generated()] * len(prompts)
    if heard is not None:
        settings["streamer"] = Pieces(tokenizer, stops, heard)
    model.eval()
    for chosen in _of_one_length(read, how.batch_size):
        ids = torch.tensor([read[place] for place in chosen], device=device)
        output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **settings)
        begin = 1 if config.is_encoder_decoder else ids.shape[1]
        for place, written in zip(chosen, output[:, begin:].tolist(), strict=True):
            said = list(takewhile(lambda token: token not in stops, written))
            text = tokenizer.decode(said, skip_special_tokens=True).strip()
            found[place] = Generated(text, len(read[place]), len(said), cut=len(said) == len(written))
    return found


class Pieces:
    """A streamer of transformers: tells of a text while it is written, a word at a time, and of no stop token."""

    def __init__(self, tokenizer: Any, stops: Collection[int], heard: Callable[[str], None]):
        self.tokenizer, self.stops, self.heard = tokenizer, stops, heard
        self.tokens: list[int] = []
        self.prompted = self.stopped = False
        self.told = ""

    def put(self, value: "torch.Tensor") -> None:
        """Takes the prompt first, then each token."""
        if not self.prompted:
            self.prompted = True
            return
        for token in value.flatten().tolist():
            self.stopped = self.stopped or token in self.stops
            if not self.stopped:
                self.tokens.append(token)
        # The last word may go on, and its first bytes may be no character yet.
        self._tell(self._text.rpartition(" ")[0].rstrip())

    def end(self) -> None:
        self._tell(self._text)

    @property
    def _text(self) -> str:
        return self.tokenizer.decode(self.tokens, skip_special_tokens=True).strip()

    def _tell(self, text: str) -> None:
        if len(text) > len(self.told) and text.startswith(self.told):
            piece, self.told = text[len(self.told) :], text
            self.heard(piece)


def _virtual_tokens(model: Any) -> int:
    """How many positions a method takes before the text's own."""
    adapters = getattr(model, "peft_config", {}).values()
    return sum(adapter.num_virtual_tokens for adapter in adapters if adapter.is_prompt_learning)


def _ends(model: Any) -> list[int]:
    """The tokens that the model itself is made to stop at."""
    ends = model.generation_config.eos_token_id
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def _of_one_length(prompts: Sequence[list[int]], batch_size: int) -> Iterator[list[int]]:
    places = defaultdict(list)
    for place, prompt in enumerate(prompts):
        places[len(prompt)].append(place)
    for length in sorted(places.keys() - {0}):
        for start in range(0, len(places[length]), batch_size):
            yield places[length][start : start + batch_size]
