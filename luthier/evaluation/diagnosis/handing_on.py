"""What an evaluation hands on to tuning: a file of its own, so that tuning never opens a report with test scores."""

from pathlib import Path

from pydantic import TypeAdapter

from luthier.evaluation.diagnosis.finding import Finding

FILE = "for_tuning.json"
FINDINGS = TypeAdapter(tuple[Finding, ...])


def write_for_tuning(findings: tuple[Finding, ...], folder: Path) -> None:
    """Writes ``for_tuning.json``: findings that rest on training and validation rows alone."""
    (folder / FILE).write_bytes(FINDINGS.dump_json(findings, indent=2))


def read_for_tuning(folder: Path) -> dict[str, str]:
    """The evidence of each finding by its kind; none of a report that was made before findings were."""
    path = folder / FILE
    found = FINDINGS.validate_json(path.read_bytes()) if path.is_file() else ()
    return {finding.kind: finding.evidence for finding in found}
