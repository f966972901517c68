"""Conversations as tokens for models that go on with a text: loss on answers only.

tokens   <s> user : Hi </s> <s> assistant : Hello </s>
labels     -    - -  -    -   -         - - Hello </s>
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from luthier.tasks.batches import padded_length
from luthier.tasks.chat import Message, end_of_turn, prompt_text, rendered
from luthier.tasks.packing import kept_apart
from luthier.tasks.task import IGNORED, Collator, Encoded


class Learnable(NamedTuple):
    """The tokens of a conversation, their labels, and where the last answer begins."""

    ids: list[int]
    labels: list[int]
    answer: int


def encode_conversations(
    tokenizer: Any, conversations: Sequence[Sequence[Message] | None], *, max_length: int, prompt_at_least: int
) -> Encoded:
    """Features of conversations that end with an answer; None is a row without one.

    A prompt that is too long loses its beginning, down to ``prompt_at_least`` tokens; then the answer loses its end.
    ``template_mismatch`` counts the rows whose answers the chat template does not let be found.
    """
    learnable = learnable_tokens(tokenizer, conversations)
    columns: dict[str, list[Any]] = {"input_ids": [], "labels": [], "row": []}
    prompts = answers = 0
    for row, found in enumerate(learnable):
        if found is None:
            continue
        said = len(found.ids) - found.answer
        start = max(0, found.answer - max(prompt_at_least, max_length - said))
        prompts += start > 0
        answers += len(found.ids) - start > max_length
        columns["input_ids"].append(found.ids[start : start + max_length])
        # Nothing stands before the first token that it could be said after.
        columns["labels"].append([IGNORED, *found.labels[start + 1 : start + max_length]])
        columns["row"].append(row)
    given = sum(conversation is not None for conversation in conversations)
    counts = {
        "truncated_prompts": prompts,
        "truncated_answers": answers,
        "template_mismatch": given - len(columns["row"]),
        "unlearnable": len(conversations) - len(columns["row"]),
    }
    return Encoded(columns, counts)


def learnable_tokens(tokenizer: Any, conversations: Sequence[Sequence[Message] | None]) -> list[Learnable | None]:
    """The tokens of each conversation and its labels, nothing cut.

    None where the prompt alone has other tokens than within the conversation: what generation starts from would not
    be what was trained.
    """
    end_of_turn(tokenizer)
    found = [rendered(tokenizer, messages) if messages else None for messages in conversations]
    tokens = _tokens(tokenizer, [one.text if one else "" for one in found], return_offsets_mapping=True)
    prompts = _tokens(tokenizer, [one.prompt if one else "" for one in found])["input_ids"]
    rows = zip(found, tokens["input_ids"], tokens["offset_mapping"], prompts, strict=True)
    return [_labelled(ids, offsets, one.answers, prompt) if one else None for one, ids, offsets, prompt in rows]


def prompt_tokens(tokenizer: Any, conversations: Sequence[Sequence[Message]]) -> list[list[int]]:
    """The tokens of conversations that wait for an answer, nothing cut; none where the chat template refuses them."""
    texts = [prompt_text(tokenizer, conversation) or "" for conversation in conversations]
    return _tokens(tokenizer, texts)["input_ids"]


def conversation_collator(tokenizer: Any) -> Collator:
    """Pads on the right; ``labels`` (rows, places) are the tokens to come at the places where any row has one.

    ``logits_to_keep`` has these places, counted from the end, where virtual tokens before the text do not move them:
    the model then computes no others of its logits, which are the dear part of a small model.
    """
    import torch

    def collate(features: list[dict[str, Any]]) -> dict[str, Any]:
        shape = (len(features), padded_length(max(len(f["input_ids"]) for f in features)))
        ids = torch.full(shape, tokenizer.pad_token_id)
        mask, targets = torch.zeros(shape, dtype=torch.long), torch.full(shape, IGNORED)
        for row, feature in enumerate(features):
            length = len(feature["input_ids"])
            ids[row, :length] = torch.tensor(feature["input_ids"])
            mask[row, :length] = 1
            targets[row, : length - 1] = torch.tensor(feature["labels"][1:])
        places = targets.ne(IGNORED).any(dim=0).nonzero().flatten()
        packed = "position_ids" in features[0]
        seen = kept_apart(features, shape[1]) if packed else {"attention_mask": mask}
        return {"input_ids": ids, **seen, "labels": targets[:, places], "logits_to_keep": places - shape[1]}

    return collate


def _tokens(tokenizer: Any, texts: Sequence[str], **options: Any) -> Any:
    if not texts:
        return {"input_ids": [], "offset_mapping": []}
    return tokenizer(list(texts), add_special_tokens=False, verbose=False, **options)


def _labelled(
    ids: list[int], offsets: Sequence[tuple[int, int]], answers: Sequence[tuple[int, int]], prompt: list[int]
) -> Learnable | None:
    if ids[: len(prompt)] != prompt:
        return None
    inside = [any(start <= first and last <= end for start, end in answers) for first, last in offsets]
    labels = [token if said else IGNORED for token, said in zip(ids, inside, strict=True)]
    return Learnable(ids, labels, len(prompt))
