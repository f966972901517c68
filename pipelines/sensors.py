"""What keeps MLflow and Dagster telling the same story."""

import dagster as dg

from resources.home import sensor_seconds
from resources.tracking import Tracking


@dg.sensor(minimum_interval_seconds=sensor_seconds(), default_status=dg.DefaultSensorStatus.RUNNING)
def close_ended_runs(context: dg.SensorEvaluationContext, tracking: Tracking) -> dg.SkipReason:
    """Ends MLflow runs whose Dagster run has ended or whose process is gone, and sends what MLflow has missed."""
    closed = tracking.reconcile(context.instance)
    return dg.SkipReason(f"closed {len(closed)} runs" if closed else "nothing to close")
