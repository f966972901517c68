"""Commands about this machine: its pages, what MLflow missed, what is wrong."""

from typing import Annotated

import typer

from luthier.errors import LuthierError
from pipelines.commands.terminal import console
from pipelines.home_resources import home_tracking
from resources.home import luthier_home

app = typer.Typer()


@app.command()
def ui(
    dagster_port: Annotated[int, typer.Option(envvar="LUTHIER_DAGSTER_PORT", help="Port of the Dagster page.")] = 3000,
    mlflow_port: Annotated[int, typer.Option(envvar="LUTHIER_MLFLOW_PORT", help="Port of the MLflow page.")] = 5000,
) -> None:
    """Serve the Dagster and MLflow pages on 127.0.0.1 until Ctrl-C."""
    from pipelines.servers import require_free, serve

    for port in (dagster_port, mlflow_port):
        require_free(port)
    raise typer.Exit(serve(luthier_home(), dagster_port=dagster_port, mlflow_port=mlflow_port, console=console))


@app.command()
def sync() -> None:
    """Send MLflow what it missed, and close runs whose process is gone."""
    import dagster as dg

    tracking = home_tracking()
    with dg.DagsterInstance.get() as instance:
        closed = tracking.reconcile(instance)
    # What is still kept now is what could not be sent.
    left = tracking.sync_all()
    console.print(f"{len(closed)} runs closed; {len(left.kept)} journals still to be sent", highlight=False)
    if left.kept:
        raise LuthierError(
            "MLflow has not received everything", received=left.problem, remedy="start it, then sync again"
        )


@app.command()
def doctor() -> None:
    """Say what this machine has, what is wrong, and the remedy."""
    from pipelines.doctor import examine

    findings = list(examine())
    for finding in findings:
        mark = "[red]✗[/]" if finding.remedy else "[green]✓[/]"
        remedy = f"  [red]{finding.remedy}[/]" if finding.remedy else ""
        console.print(f"{mark} {finding.what:<22} {finding.found}{remedy}", highlight=False)
    raise typer.Exit(1 if any(finding.remedy for finding in findings) else 0)
