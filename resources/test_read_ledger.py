"""The ledger of who read which test split: one small file a reading, which outlives runs and rounds."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from luthier.durable import written_whole
from luthier.evaluation.test_reads import Reading, TestReads


@dataclass(frozen=True)
class TestReadLedger:
    """The readings of the same test rows, by their digest ``rows``, in ``<home>/test_reads``.

    Splits that differ in training rows, weights or columns alone share them.
    """

    # Pytest takes classes of this name for tests.
    __test__ = False

    home: str
    rows: str

    @property
    def folder(self) -> Path:
        """Where its readings lie."""
        return Path(self.home) / "test_reads" / self.rows

    def begin(self, evaluation: str, reading: Reading) -> TestReads:
        """Writes the reading down before a row is asked; one of the same ``evaluation`` that broke off counts once.

        Of those that were begun later none is known.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write(evaluation, reading)
        others = [other for name, other in self._readings().items() if name != evaluation]
        return TestReads((*sorted(others, key=lambda other: other.at), reading))

    def end(self, evaluation: str, value: float) -> None:
        """Writes the score that came of it."""
        self._write(evaluation, replace(self._readings()[evaluation], value=value))

    def _readings(self) -> dict[str, Reading]:
        return {path.stem: Reading(**json.loads(path.read_text())) for path in self.folder.glob("*.json")}

    def _write(self, evaluation: str, reading: Reading) -> None:
        with written_whole(self.folder / f"{evaluation}.json") as path:
            path.write_text(json.dumps(asdict(reading)))
