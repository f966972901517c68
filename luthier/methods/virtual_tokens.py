"""What prefix tuning, prompt tuning and p-tuning have in common: virtual tokens that a frozen model reads first."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from luthier.methods.peft_method import PeftMethod
from luthier.methods.shape import architecture_of
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import torch


class VirtualTokens(PeftMethod):
    """Settings of methods that put trained vectors before a text's own. They do not merge: no weight changes."""

    num_virtual_tokens: int = Field(default=20, ge=1, le=1024, description="Vectors read before a text's tokens.")

    merges: ClassVar[bool] = False

    @property
    def virtual_tokens(self) -> int:
        return self.num_virtual_tokens

    def sizes(self, model: "torch.nn.Module", head: Head) -> dict[str, Any]:
        """What PEFT cannot infer of every family, and the head."""
        from luthier.models.loading import head_names

        config = model.config
        return {
            "task_type": head.peft_task_type,
            "num_virtual_tokens": self.num_virtual_tokens,
            "token_dim": config.hidden_size,
            "num_layers": config.num_hidden_layers,
            "num_attention_heads": config.num_attention_heads,
            # With the dot, since PEFT goes by ends: ModernBERT's head would be found in the encoder's mlp_head.
            "modules_to_save": [f".{name}" for name in head_names(model)],
        }


class EmbeddedTokens(VirtualTokens):
    """Virtual tokens that enter where embeddings do, so that the model answers for them too."""

    # PEFT alone gives the logits of virtual tokens too, and classifies at the padding.
    plain_peft: ClassVar[bool] = False

    def sizes(self, model: "torch.nn.Module", head: Head) -> dict[str, Any]:
        """Of an encoder-decoder, the encoder alone reads them (Lester et al. 2021)."""
        return {**super().sizes(model, head), "num_transformer_submodules": 1}

    def attach(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        return self._hide_tokens(super().attach(model, head), head)

    def load(self, model: Path, tuned: Path, head: Head, **how: Any) -> "torch.nn.Module":
        return self._hide_tokens(super().load(model, tuned, head, **how), head)

    def _hide_tokens(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        """Makes the model answer for the text's own tokens alone, wherever their padding is."""
        if head.kind in ("token-classification", "question-answering", "causal-lm"):
            model.register_forward_hook(self._without_virtual, with_kwargs=True)
        elif head.kind == "sequence-classification" and architecture_of(model.config) == "decoder":
            model.get_base_model().register_forward_pre_hook(_padded_left, with_kwargs=True)
        return model

    def _without_virtual(
        self, module: "torch.nn.Module", inputs: tuple[Any, ...], given: Mapping[str, Any], outputs: Any
    ) -> Any:
        # Positions counted from the end are the text's own already.
        if given.get("logits_to_keep") is not None:
            return outputs
        for name in ("logits", "start_logits", "end_logits"):
            if name in outputs:
                outputs[name] = outputs[name][:, self.num_virtual_tokens :]
        return outputs


def _padded_left(
    module: "torch.nn.Module", inputs: tuple[Any, ...], given: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Moves padding before the virtual tokens.

    A decoder's classifier answers at the last token that is no padding, and takes the last of all where it is given
    embeddings, of which it cannot tell.
    """
    mask, embeddings = given["attention_mask"], given["inputs_embeds"]
    order = mask.argsort(dim=1, stable=True)
    moved = mask.gather(1, order)
    return inputs, {
        **given,
        "attention_mask": moved,
        "inputs_embeds": embeddings.gather(1, order.unsqueeze(-1).expand_as(embeddings)),
        "position_ids": (moved.cumsum(dim=1) - 1).clamp(min=0).long(),
    }
