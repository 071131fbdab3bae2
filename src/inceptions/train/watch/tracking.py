"""Telling the figures of a run to others: TensorBoard, and whatever else Accelerate knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from inceptions.errors import MachineError, unknown
from inceptions.recipe import Recipe, to_table
from inceptions.train.progress import Reporter
from inceptions.train.run.folder import Row
from inceptions.train.step import Numbers

FOLDER = "tracking"
PROJECT = "inceptions"
OURS = {"tensorboard": "inceptions[track]"}
"""Those that are an extra of this package."""


def check_trackers(names: Sequence[str]) -> None:
    """Refuse what Accelerate does not know or this machine does not have, before anything is done.

    Raises:
        UsageError: no such tracker.
        MachineError: its package is missing.
    """
    here = {str(name) for name in get_available_trackers()}
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise unknown("tracker", name, LOGGER_TYPE_TO_CLASS)
        if name not in here:
            raise MachineError(f"--track {name} needs a package: pip install {OURS.get(name, name)!r}")


class Trackers:
    """The trackers of a run. What goes wrong there is said once and does not touch the run.

    Args:
        accelerator: made with the trackers' names (`machine.start`).
        recipe: what the run does.
        reporter: where complaints go.
        folder: of the run, for those that write files: they do so under `tracking/`.
    """

    def __init__(self, accelerator: Accelerator, recipe: Recipe, reporter: Reporter, folder: Path) -> None:
        self.accelerator = accelerator
        self.reporter = reporter
        self.active = bool(accelerator.log_with) and accelerator.is_main_process
        self._try(lambda: accelerator.init_trackers(PROJECT, config={"run": folder.name, **plain(to_table(recipe))}))

    def step(self, step: int, numbers: Numbers, rate: float) -> None:
        """Tell an update."""
        norm = {} if numbers.norm is None else {"step/gradient_norm": numbers.norm}
        self._log({"step/loss": numbers.loss, "step/objective": numbers.objective, "step/lr": rate, **norm}, step)

    def epoch(self, step: int, rows: Sequence[Row]) -> None:
        """Tell an epoch."""
        figures = {f"{row.split}/{name}": getattr(row, name) for row in rows for name in ("loss", "accuracy", "data_wait")}
        self._log({name: value for name, value in figures.items() if value is not None}, step)

    def close(self) -> None:
        """Nothing more is to come."""
        self._try(lambda: [tracker.finish() for tracker in self.accelerator.trackers])

    def _log(self, values: Mapping[str, float], step: int) -> None:
        self._try(lambda: self.accelerator.log(values, step=step))

    def _try(self, work: Callable[[], object]) -> None:
        if not self.active:
            return
        try:
            work()
        except Exception as error:  # anything, from a full disk to a server that does not answer
            self.active = False
            self.reporter.say(f"Tracking stopped ({type(error).__name__}: {error}). The run goes on without it.")


def plain(table: Mapping[str, Any], prefix: str = "") -> dict[str, str | int | float | bool]:
    """Nested tables as dotted names with values that every tracker takes."""
    flat: dict[str, str | int | float | bool] = {}
    for name, value in table.items():
        if isinstance(value, Mapping):
            flat |= plain(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value if isinstance(value, str | int | float | bool) else str(value)
    return flat
