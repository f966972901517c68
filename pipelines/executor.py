"""Each step in its own process, forked from one that has paid the imports."""

import dagster as dg

PRELOADED = ["torch", "transformers", "peft", "mlflow", "datasets", "sklearn.linear_model", "pipelines.definitions"]

executor = dg.multiprocess_executor.configured(
    {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": PRELOADED}}}
)
