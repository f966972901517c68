from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from tests.dag.graph import Graph


@pytest.fixture
def graph(project: Path) -> Iterator[Graph]:
    (project / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(project / "dagster")) as instance:
        yield Graph(project, instance)
