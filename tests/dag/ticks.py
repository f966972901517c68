"""Ticks of the shipped sensors in a test, each with the cursor that the last one left, and runs as a tick sees them."""

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData

from pipelines.definitions import defs
from resources.recipe_book import RecipeBook
from tests.dag.graph import Graph


class Ticks:
    """Ticks of one sensor; ``crash`` puts back the cursor, as a tick does whose end Dagster never heard of."""

    def __init__(self, graph: Graph, sensor: dg.SensorDefinition) -> None:
        self.graph, self.sensor, self.cursor = graph, sensor, None

    def tick(self, *, crash: bool = False) -> SensorExecutionData:
        context = dg.build_sensor_context(
            instance=self.graph.instance,
            cursor=self.cursor,
            repository_def=defs.get_repository_def(),
            sensor_name=self.sensor.name,
            resources={
                "recipes": RecipeBook(folder=str(self.graph.project / "recipes")),
                "artifacts": self.graph.artifacts,
                "tracking": self.graph.tracking,
            },
        )
        data = self.sensor.evaluate_tick(context)
        if not crash:
            self.cursor = data.cursor
        return data


def said(data: SensorExecutionData) -> str:
    """What a tick that starts nothing says."""
    return str(data.skip_message)
