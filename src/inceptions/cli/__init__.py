"""The command: typed functions whose docstrings are the help, one file each, which only put the rooms together.

Rooms are imported inside the commands, so that `inceptions --help` answers at once and `inceptions cost` needs no torch.
Answers go to standard output, everything else to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from cyclopts import App, Parameter

from inceptions.cli.bench import bench
from inceptions.cli.claims import claims
from inceptions.cli.convert import convert
from inceptions.cli.cost import cost
from inceptions.cli.data import data
from inceptions.cli.doctor import doctor
from inceptions.cli.evaluate import evaluate
from inceptions.cli.explain import explain
from inceptions.cli.export import export
from inceptions.cli.features import features
from inceptions.cli.models import models
from inceptions.cli.predict import predict
from inceptions.cli.serve import serve
from inceptions.cli.train import train
from inceptions.console import run_app


def _version() -> str:
    from importlib.metadata import version  # it reads e-mail headers, which takes long to import

    return version("inceptions")


app = App(
    name="inceptions",
    help="The Inception family: from the table in the paper to a trained, evaluated and used image classifier.\n\n"
    "Start with `inceptions train`: it needs no data of yours.",
    help_format="plaintext",
    version=_version,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
# In the order in which they are listed: the way of a photograph first, then the networks.
COMMANDS: tuple[Callable[..., None], ...] = (
    *(train, evaluate, predict, explain, features, serve),
    *(cost, models, convert, export, bench, doctor),
)
for position, command in enumerate(COMMANDS):
    app.command(command, sort_key=position)
app.command(data)
app.command(claims)


def execute(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    return run_app(app, arguments)


def main() -> None:
    """Entry point of the `inceptions` command."""
    sys.exit(execute(sys.argv[1:]))
