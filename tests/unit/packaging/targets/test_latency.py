from luthier.packaging.targets import latency
from luthier.packaging.targets.latency import Latency, latencies


class Clock:
    """Time that passes only while something is asked."""

    def __init__(self) -> None:
        self.now, self.asked = 0.0, ""

    def perf_counter(self) -> float:
        return self.now

    def form(self, name: str, *seconds: float):
        left = list(seconds)

        def ask(given: int) -> None:
            self.asked += name
            self.now += left.pop(0)

        return ask


def test_the_median_run_counts_and_the_first_calls_do_not(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(latency, "time", clock)
    # Two inputs: two calls to prepare, then three runs of two.
    slow, fast = clock.form("s", 9, 9, 4, 4, 5, 3, 80, 80), clock.form("f", 9, 9, 1, 1, 2, 2, 0, 2)
    found = latencies({"slow": slow, "fast": fast}, [1, 2], runs=3)
    assert found == {"slow": Latency(4000.0, 1.0), "fast": Latency(1000.0, 4.0)}
    assert clock.asked == "ssff" + "ssff" * 3, "forms take turns"
