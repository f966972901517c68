"""The code inside a package. It runs where Luthier is not installed, so it imports nothing of it."""

from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils.logging import disable_progress_bar


class TextClassifier(mlflow.pyfunc.PythonModel):
    """Answers each text with its most probable label and that label's probability."""

    def load_context(self, context: Any) -> None:
        disable_progress_bar()
        folder = context.artifacts["model"]
        options = {"local_files_only": True, "trust_remote_code": False}
        self.tokenizer = AutoTokenizer.from_pretrained(folder, **options)
        self.tokenizer.padding_side = "right"
        self.model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", use_safetensors=True, **options
        ).eval()
        self.labels = [self.model.config.id2label[index] for index in range(self.model.config.num_labels)]
        self.max_length = int(context.model_config["max_length"])
        self.batch_size = int(context.model_config["batch_size"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        probabilities = self.probabilities(model_input["text"].tolist())
        best = probabilities.argmax(axis=1)
        labels = [self.labels[index] for index in best]
        return pd.DataFrame({"label": labels, "probability": probabilities.max(axis=1).astype(float)})

    def probabilities(self, texts: list[str]) -> np.ndarray:
        """Class probabilities (rows x classes) in the order of ``texts``, batched by length."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        found = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), self.batch_size):
                rows = order[start : start + self.batch_size]
                batch = self.tokenizer(
                    [texts[row] for row in rows],
                    truncation=True,
                    max_length=self.max_length,
                    padding=True,
                    return_tensors="pt",
                )
                found[rows] = self.model(**batch).logits.softmax(dim=-1).numpy()
        return found


mlflow.models.set_model(TextClassifier())
