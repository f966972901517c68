"""What Prometheus reads at ``/metrics``."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from luthier.serving.control import Control
from luthier.serving.dispatch import Dispatcher
from luthier.serving.job import Batch

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counted where requests arrive; what the model's process did is read from ``control``."""

    def __init__(self, model: str, control: Control, dispatcher: Dispatcher):
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "luthier_serve_requests", "Requests answered.", ("path", "status"), registry=self.registry
        )
        self.latency = Histogram(
            "luthier_serve_request_seconds",
            "Time from a request to the end of its answer.",
            ("path",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch_rows = Histogram(
            "luthier_serve_batch_rows", "Rows the model was given at once.", buckets=ROWS, registry=self.registry
        )
        self.batch_requests = Histogram(
            "luthier_serve_batch_requests", "Requests answered together.", buckets=ROWS, registry=self.registry
        )
        self.batch_seconds = Histogram(
            "luthier_serve_batch_seconds", "Time the model took.", buckets=SECONDS, registry=self.registry
        )
        self.registry.register(_Served(model, control, dispatcher))

    def request(self, path: str, status: int, seconds: float) -> None:
        self.requests.labels(path, str(status)).inc()
        self.latency.labels(path).observe(seconds)

    def batch(self, batch: Batch | None) -> None:
        if batch is not None:
            self.batch_rows.observe(batch.rows)
            self.batch_requests.observe(batch.requests)
            self.batch_seconds.observe(batch.seconds)

    def page(self) -> bytes:
        return generate_latest(self.registry)


class _Served(Collector):
    def __init__(self, model: str, control: Control, dispatcher: Dispatcher):
        self.model, self.control, self.dispatcher = model, control, dispatcher

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "luthier_serve_waiting", "Requests that are not answered yet.", value=len(self.dispatcher.pending)
        )
        state = self.control.state
        if state is None:
            return
        yield InfoMetricFamily(
            "luthier_serve_model", "The version that answers.", value={"model": self.model, "version": state.version}
        )
        yield CounterMetricFamily("luthier_serve_swaps", "Versions that took over.", value=state.swaps)
        yield CounterMetricFamily(
            "luthier_serve_swap_failures", "Versions that were to take over and could not.", value=state.failures
        )
        yield CounterMetricFamily("luthier_serve_model_starts", "Starts of the model's process.", value=state.starts)
