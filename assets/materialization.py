"""How an artifact becomes a materialization, and a person's mistake a failure without a traceback."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg

from luthier.errors import LuthierError
from resources.artifact_store import Artifact


def materialized(
    artifact: Artifact,
    metadata: Mapping[str, Any],
    *,
    checks: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """The materialization of ``artifact``: its digest is its data version."""
    return dg.MaterializeResult(
        metadata={
            **metadata,
            "digest": artifact.digest,
            "reused": artifact.reused,
            "folder": dg.MetadataValue.path(artifact.folder),
        },
        data_version=dg.DataVersion(artifact.digest),
        check_results=checks,
    )


@contextmanager
def mistakes_explained() -> Iterator[None]:
    """A ``LuthierError`` is a person's mistake: the step fails with its text, and is not retried."""
    try:
        yield
    except LuthierError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Rows as a table in the UI; ``rows`` is not empty."""
    columns = [dg.TableColumn(name) for name in rows[0]]
    records = [dg.TableRecord({name: str(value) for name, value in row.items()}) for row in rows]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns))


def picture(png: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A picture that the UI shows in place."""
    import base64

    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})")
