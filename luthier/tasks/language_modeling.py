"""What tasks share whose answers are texts that a model writes: loss, likelihood, generation."""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from luthier.tasks.chat import ASSISTANT, Message, end_of_turn
from luthier.tasks.conversation_tokens import conversation_collator, encode_conversations, prompt_tokens
from luthier.tasks.generation import generated
from luthier.tasks.head import Head
from luthier.tasks.likelihood import answer_losses, token_losses
from luthier.tasks.packing import packed
from luthier.tasks.task import IGNORED, UNTUNED, BaselineInputs, Collator, Encoded, Inference, Predictions, Task
from luthier.tasks.text_pairs import pair_collator

if TYPE_CHECKING:
    import datasets
    import numpy as np
    import pyarrow as pa
    import torch

# Training rows whose tokens a baseline counts.
COUNTED_ROWS = 5_000


class LanguageModeling(Task):
    """A text is read, and another is written for it."""

    # The share of a feature that stays the prompt's when the answer is too long: an answer to nothing teaches nothing.
    prompt_share: ClassVar[float]

    def selected_by(self, metric: str) -> str:
        """Perplexity: the other metrics need texts, which would have to be generated at each validation."""
        return "perplexity"

    @abstractmethod
    def conversations(self, rows: "pa.Table", tokenizer: Any, *, max_length: int) -> list[list[Message]]:
        """What is said before the answer of each row."""

    def encode(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> Encoded:
        answers = rows["label"].to_pylist()
        conversations = [
            None if answer is None else [*asked, {"role": ASSISTANT, "content": answer}]
            for asked, answer in zip(self.conversations(rows, tokenizer, max_length=max_length), answers, strict=True)
        ]
        prompt_at_least = int(max_length * self.prompt_share)
        return encode_conversations(tokenizer, conversations, max_length=max_length, prompt_at_least=prompt_at_least)

    def prompts(self, rows: "pa.Table", tokenizer: Any, head: Head, *, max_length: int) -> list[list[int]]:
        """The tokens that the model reads before it writes; none where the chat template refuses the conversation."""
        return prompt_tokens(tokenizer, self.conversations(rows, tokenizer, max_length=max_length))

    def ends(self, tokenizer: Any, head: Head) -> Collection[int]:
        """The tokens that end an answer."""
        return [end_of_turn(tokenizer)]

    def packed(self, features: "datasets.Dataset", max_length: int) -> "datasets.Dataset":
        """Several features in one of up to ``max_length`` tokens, for models that continue a text alone."""
        return packed(features, max_length)

    def collator(self, tokenizer: Any, head: Head, config: Any) -> Collator:
        """``labels`` of shape (rows, places), one for each place of the logits and -100 where there is none."""
        return conversation_collator(tokenizer) if head.kind == "causal-lm" else pair_collator(tokenizer, config)

    def loss(
        self,
        logits: Any,
        labels: "torch.Tensor",
        items: "torch.Tensor | int",
        *,
        class_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
    ) -> "torch.Tensor":
        """Cross-entropy of the tokens of all answers."""
        from torch.nn import functional

        given = labels.ne(IGNORED)
        total = functional.cross_entropy(
            logits[given].float(), labels[given], reduction="sum", label_smoothing=label_smoothing
        )
        return total / items

    def kept(self, logits: Any, labels: "torch.Tensor") -> "torch.Tensor":
        """The summed negative log-likelihood of each row, and its number of tokens (rows, 2)."""
        import torch

        return torch.stack([token_losses(logits, labels).sum(dim=1), labels.ne(IGNORED).sum(dim=1)], dim=1)

    def validation_metrics(
        self, kept: "np.ndarray", labels: "np.ndarray", features: Any, head: Head, *, required: str | None = None
    ) -> Mapping[str, float]:
        from luthier.evaluation.scores import point

        return {"perplexity": point("perplexity", kept[:, 1], kept[:, 0])}

    def predict(
        self, model: "torch.nn.Module", tokenizer: Any, rows: "pa.Table", head: Head, how: Inference
    ) -> Predictions:
        """Evidence: the negative log-likelihood of each token that training would have learned of the row."""
        import numpy as np

        encoded = self.encode(rows, tokenizer, head, max_length=how.max_length).columns
        evidence = [np.empty(0, dtype=np.float32)] * len(rows)
        collate = self.collator(tokenizer, head, model.config)
        for row, losses in zip(encoded["row"], answer_losses(model, collate, encoded, how.batch_size), strict=True):
            evidence[row] = losses
        asked = rows.slice(0, how.generated_rows)
        prompts = self.prompts(asked, tokenizer, head, max_length=how.max_length)
        texts = generated(model, tokenizer, prompts, self.ends(tokenizer, head), how)
        left = [None] * (len(rows) - len(texts))
        return Predictions([*(text.text for text in texts), *left], evidence, tuple(text.cut for text in texts))

    def compared(self, metric: str, rows: "pa.Table", predictions: Predictions, head: Head) -> tuple[Any, Any]:
        """Rows that nothing was generated for are not compared."""
        import numpy as np

        if metric == "perplexity":
            evidence = predictions.evidence
            return np.array([len(losses) for losses in evidence]), np.array([losses.sum() for losses in evidence])
        pairs = zip(rows["label"].to_pylist(), predictions.answers, strict=True)
        given = [(label, answer) for label, answer in pairs if answer is not None]
        return [label for label, _ in given], [answer for _, answer in given]

    def baselines(self, given: BaselineInputs) -> Mapping[str, Predictions]:
        """The usual training answer and the usual tokens, the nearest training text's answer, and the untuned base."""
        import torch

        from luthier.models.loading import load_model, load_tokenizer
        from luthier.training.compute import available_device

        model = load_model(given.model, given.head, dtype=torch.float32, attention="sdpa").to(available_device())
        tokenizer = load_tokenizer(given.model)
        return {
            "majority": self._majority(given, tokenizer),
            "retrieval": self._retrieved(given),
            UNTUNED: self.predict(model, tokenizer, given.test, given.head, given.how),
        }

    def _majority(self, given: BaselineInputs, tokenizer: Any) -> Predictions:
        """The most frequent training answer; tokens are as likely as they are frequent in those answers."""
        import numpy as np

        from luthier.evaluation.retrieval import most_frequent, token_frequencies

        def tokens(rows: "pa.Table") -> list[tuple[int, list[int]]]:
            columns = self.encode(rows, tokenizer, given.head, max_length=given.how.max_length).columns
            pairs = zip(columns["row"], columns["labels"], strict=True)
            return [(row, [token for token in labels if token != IGNORED]) for row, labels in pairs]

        learned = [token for _, ids in tokens(given.train.slice(0, COUNTED_ROWS)) for token in ids]
        losses = token_frequencies(learned, len(tokenizer))
        evidence = [np.empty(0, dtype=np.float32)] * len(given.test)
        for row, ids in tokens(given.test):
            evidence[row] = losses[ids]
        return Predictions([most_frequent(given.train["label"].to_pylist())] * len(given.test), evidence)

    def _retrieved(self, given: BaselineInputs) -> Predictions:
        import numpy as np

        from luthier.evaluation.retrieval import retrieved

        asked = given.test["text"].slice(0, given.how.generated_rows).to_pylist()
        answers = retrieved(asked, given.train["text"].to_pylist(), given.train["label"].to_pylist())
        left = [None] * (len(given.test) - len(asked))
        return Predictions([*answers, *left], [np.empty(0, dtype=np.float32)] * len(given.test))
