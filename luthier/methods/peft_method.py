"""What the methods have in common that put something beside a frozen base, each through PEFT."""

import json
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from luthier.errors import ModelError
from luthier.methods.layers import closest, last_parts, matching, within
from luthier.methods.method import BaseMethod
from luthier.tasks.head import Head

if TYPE_CHECKING:
    import peft
    import torch


class PeftMethod(BaseMethod):
    """A method that PEFT knows, or is taught. What it adds is held and trained in float32, on whatever base."""

    # Settings of PEFT's configuration that decide what stored weights do, beside their names and sizes.
    deciding_settings: ClassVar[tuple[str, ...]] = ()
    plain_peft: ClassVar[bool] = True

    @property
    def stored_as_trained(self) -> bool:
        """Whether training can go on from what ``save`` writes."""
        return True

    @abstractmethod
    def peft_config(self, model: "torch.nn.Module", head: Head) -> "peft.PeftConfig":
        """PEFT's configuration of this method for a model, whose new modules are trained whole."""

    def teach_peft(self) -> None:
        """Registers the method's tuner, where PEFT has none."""

    def attach(self, model: "torch.nn.Module", head: Head) -> "torch.nn.Module":
        import peft

        self.teach_peft()
        config = self.peft_config(model, head)
        if head.kind == "question-answering" and not config.is_prompt_learning:
            # PEFT's own wrapper of this task drops the token types, which tell the question from its context.
            config.task_type = None
        return peft.get_peft_model(model, config)

    def continue_from(self, model: "torch.nn.Module", tuned: Path) -> None:
        import peft

        from luthier.models.loading import HEADS, head_names

        path = tuned / "adapter_config.json"
        stored = json.loads(path.read_text()) if path.is_file() else {"peft_type": "full fine-tuning"}
        kind = stored["peft_type"]
        config = model.peft_config["default"]
        if kind != config.peft_type or not self.stored_as_trained:
            raise ModelError(
                "the champion's adapter cannot be trained on",
                received=f"weights of {kind} for a recipe of {self.kind}",
                remedy="use the champion's own method, or set base_model.continued to merged",
            )
        for setting in self.deciding_settings:
            if stored[setting] != getattr(config, setting):
                raise ModelError(
                    f"the champion's adapter was trained with another {setting}",
                    received=f"{getattr(config, setting)}, where the champion has {stored[setting]}",
                    remedy="give the recipe the champion's method settings",
                )
        own, found = peft.get_peft_model_state_dict(model), peft.load_peft_weights(str(tuned), device="cpu")
        fitting = {name: value for name, value in found.items() if name in own and own[name].shape == value.shape}
        heads = {*HEADS, *(name.lstrip(".") for name in head_names(model.get_base_model()))}
        other = sorted(name for name in {*own, *found} if name not in fitting and not within(name, heads))
        if other:
            raise ModelError(
                "the champion's adapter is of other layers or another size",
                received=f"{other[0]}, in the {'recipe' if other[0] in own else 'champion'} alone or of another size",
                remedy="give the recipe the champion's method settings",
            )
        peft.set_peft_model_state_dict(model, {**own, **fitting})

    def save(self, model: "torch.nn.Module", folder: Path) -> None:
        model.save_pretrained(folder, save_embedding_layers=False)
        # PEFT writes sets in the process's own order and the base's absolute path: the same adapter, the same bytes.
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text())
        config = {name: sorted(value) if _is_names(value) else value for name, value in config.items()}
        path.write_text(json.dumps({**config, "base_model_name_or_path": None}, indent=2, sort_keys=True))
        (folder / "README.md").unlink(missing_ok=True)

    def load(
        self,
        model: Path,
        tuned: Path,
        head: Head,
        *,
        dtype: "torch.dtype",
        attention: str,
        dequantized: bool = False,
    ) -> "torch.nn.Module":
        import peft

        from luthier.models.loading import load_model
        from luthier.models.quantization import dequantize

        self.teach_peft()
        base = load_model(model, head, dtype=dtype, attention=attention)
        if dequantized:
            dequantize(base)
        return peft.PeftModel.from_pretrained(base, tuned, is_trainable=False)

    def merge(self, model: "torch.nn.Module") -> "torch.nn.Module":
        if not self.merges:
            kind = type(self).__name__.lower()
            remedy = "keep it beside its base, or train with lora, bitfit or ia3"
            raise ModelError(f"{kind} cannot be merged into a plain model", remedy=remedy)
        return model.merge_and_unload(safe_merge=True)


def require_modules(model: "torch.nn.Module", names: Sequence[str]) -> None:
    """Raises a ModelError for a name that no module has; PEFT would pass over it."""
    known = [name for name, _ in model.named_modules()]
    for name in names:
        if not matching(known, [name]):
            near = closest(name, last_parts(known))
            remedy = f"did you mean {near}?" if near else "name a module of the model"
            raise ModelError("method.modules_to_save names no module of the model", received=name, remedy=remedy)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
