"""The code inside a package. Luthier lies beside it, and runs where it is not installed.

MLflow runs it as a file, which is why it may import MLflow at once: nothing of Luthier imports it.
"""

import logging
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa

import luthier
from luthier.packaging.serving import ServedModel, Serving

log = logging.getLogger("luthier.package")


class TunedModel(mlflow.pyfunc.PythonModel):
    """Answers each row as its task does."""

    def load_context(self, context: Any) -> None:
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        folder = Path(context.artifacts["model"])
        _compare_code(folder.parents[1] / "code" / "luthier")
        self.served = ServedModel(folder, Serving.from_config(context.model_config))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        return self.served.answers(pa.Table.from_pandas(model_input, preserve_index=False)).to_pandas()


def _compare_code(packaged: Path) -> None:
    """Warns where a process had imported another Luthier before, as no process can hold two."""
    used = Path(luthier.__path__[0])
    files = [path.relative_to(packaged) for path in packaged.rglob("*.py")]
    other = [file for file in files if not _same(used / file, packaged / file)]
    if other:
        log.warning("the Luthier in %s answers, and not the package's own: %d files differ", used, len(other))


def _same(used: Path, packaged: Path) -> bool:
    return used.is_file() and used.read_bytes() == packaged.read_bytes()


mlflow.models.set_model(TunedModel())
