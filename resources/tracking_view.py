"""Views of an experiment's runs that MLflow's page offers in its menu "Views": the deciding metric comes first.

MLflow keeps such views, and the metric that its charts begin with, in tags of the experiment. Of the views it shows
by default it can be told no columns.
"""

import json
from typing import Any

VERDICTS, STEPS = "luthier-verdicts", "luthier-steps"
VIEW_TAG = "mlflow.sharedViewState."
TAGS = ("luthier.verdict", "luthier.round", "luthier.method", "luthier.champion", "luthier.data")
PARAMS = ("evaluation.target", "training.learning_rate")
# By which trials and rounds are compared: test rows are no part of that.
VALIDATION = "best_validation_score"
NAME_WIDTH, COLUMN_WIDTH = 320, 165
CREATED = 1_700_000_000_000


def experiment_tags(metric: str) -> dict[str, str]:
    """Tags with which an experiment's page shows ``metric`` first."""
    return {
        "mlflow.experiment.primaryMetric.name": metric,
        VIEW_TAG + VERDICTS: _view("Luthier: newest verdict first", metric, oldest_first=False),
        VIEW_TAG + STEPS: _view("Luthier: steps in order", metric, oldest_first=True),
    }


def _view(name: str, metric: str, *, oldest_first: bool) -> str:
    """What MLflow stores of a view: its name, and the state of the page as JSON in JSON."""
    columns = [
        _column("metrics", metric),
        _column("metrics", VALIDATION),
        *(_column("tags", tag) for tag in TAGS),
        *(_column("params", param) for param in PARAMS),
    ]
    run_name = _column("attributes", "Run Name")
    state: dict[str, Any] = {
        "searchFilter": "",
        "orderByKey": "attributes.start_time",
        "orderByAsc": oldest_first,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": [*columns, _column("attributes", "Models")],
        "columnOrder": [run_name, *columns],
        "columnWidths": {run_name: NAME_WIDTH, **dict.fromkeys(columns, COLUMN_WIDTH)},
    }
    return json.dumps({"name": name, "createdAt": CREATED, "updatedAt": CREATED, "state": json.dumps(state)})


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"
