"""This module holds the `butaca` command: its own options, and the commands of the other modules."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from butaca.cli import data, fit, judge, model, referee, screen, serve, vectors
from butaca.errors import ButacaError

out = Console()
err = Console(stderr=True)

app = typer.Typer(
    name="butaca",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A two-tower recommender you can defend: from a table of who watched what to judged, exact lists.",
    epilog="""[bold]Start here[/]

butaca demo   the notebook, whole: MovieLens 100K, trained, compared, three titles

butaca fit ratings.csv --out model/   your own table; columns are found by name

butaca evaluate model/   the verdict again, by slice, and beyond accuracy

butaca recommend model/ --user 21 -k 3

butaca recommend model/ --history "Toy Story" --history Aladdin   someone new

butaca similar model/ "Toy Story"

Each command explains itself: butaca fit --help""",
)


def _print_version(asked: bool) -> None:
    """Prints the version, and ends the command."""
    if asked:
        typer.echo(f"butaca {installed('butaca')}")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reads what comes before the name of a command."""


@app.command()
def demo(
    out_folder: Annotated[Path, typer.Option("--out", help="Where the model goes.")] = Path("model"),
) -> None:
    """Do what the notebook does, on MovieLens 100K, and compare."""
    from butaca.cli.demo import run

    run(out, out_folder)


for commands in (fit, judge, referee, data, model, vectors, serve):
    commands.register(app)


def main() -> None:
    """Runs the command; errors that the user can mend are one message and exit code 1."""
    try:
        app()
    except ButacaError as error:
        err.print(f"[bold red]error:[/] {screen.plain(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
    except BrokenPipeError:  # the reader, such as `head`, has enough
        sys.stderr.close()
        raise SystemExit(0) from None
