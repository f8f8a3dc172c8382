"""``make fuzz``: schemathesis over every route of a running service."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from tests.fuzz.service import fuzz, served


@click.command()
@click.option("--examples", default=2_000, show_default=True, help="Requests made up a route.")
def main(examples: int) -> None:
    """Throw made-up requests at a running service."""
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as service:
        report = Path(folder) / "report.txt"
        status = fuzz(service, examples, report)
        click.echo(report.read_text())
        click.echo(service.log.read_text()[-4_000:], err=True)
    sys.exit(status)


if __name__ == "__main__":
    main()
