"""Runs what a plan asks for: in several processes, and only what is not there yet."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

import torch

from inceptions.claims.catalogue import CLAIMS, find
from inceptions.claims.cells import CELLS, Cell, Settings, cells, claim_folder, keep, kept
from inceptions.claims.lab import Lab
from inceptions.claims.plan import MOST, Plan
from inceptions.claims.results import Result, results
from inceptions.errors import InceptionsError
from inceptions.files import remove_leftovers

# Seeds of neighbouring bases must not be each other's.
SPREAD = 1000


class Progress(Protocol):
    """Where progress goes; `inceptions.train.Reporter` is one."""

    def say(self, line: str) -> None:
        """Tell something once."""
        ...

    def show(self, activity: str, done: int, total: int, detail: str = "") -> None:
        """Tell how far it is."""
        ...


def run(plan: Plan, folder: Path, settings: Settings, *, processes: int, progress: Progress) -> list[Result]:
    """Compute every cell of a plan that is not in the folder, and judge.

    Args:
        plan: claims and seeds.
        folder: where the cells are kept; another run of the same settings goes on where this one stops.
        settings: data, seed and size.
        processes: how many at once, each with one thread. The figures do not depend on it, but for times.
        progress: is told.

    Returns:
        A result for each claim of the plan.

    Raises:
        UsageError: the folder holds the results of other settings.
        InceptionsError: the data cannot be used, or the disk is full.
    """
    claim_folder(folder, settings)
    remove_leftovers(folder)
    wanted = [cell for claim in plan.claims for cell in cells(claim, plan.seeds)]
    missing = [cell for cell in wanted if kept(folder, cell, settings) is None]
    if wanted and len(missing) < len(wanted):
        progress.say(f"{len(wanted) - len(missing)} of {len(wanted)} pieces are there already.")
    broken: dict[str, str] = {}
    left: dict[str, int] = {}
    for cell in missing:
        left[cell.claim.id] = left.get(cell.claim.id, 0) + 1
    started = time.monotonic()
    for done, (cell, failure) in enumerate(_computed(missing, folder, settings, processes), start=1):
        if failure:
            broken[cell.claim.id] = failure
        left[cell.claim.id] -= 1
        progress.show("claims", done, len(missing), f"{cell.claim.number}. {cell.claim.title}")
        if not left[cell.claim.id]:
            (result,) = results(folder, [cell.claim], plan.seeds, settings, broken)
            spent = time.monotonic() - started
            progress.say(
                f"{cell.claim.number:2d}  {cell.claim.id:<22} {result.verdict}  ({done}/{len(missing)}, {spent:.0f} s)"
            )
    return results(folder, plan.claims, plan.seeds, settings, broken)


def all_results(folder: Path, settings: Settings) -> list[Result]:
    """Judge everything that a folder holds, and what is only counted."""
    begun = [claim for claim in CLAIMS if claim.trial is None or (folder / CELLS / claim.id).is_dir()]
    return results(folder, begun, MOST, settings)


def _computed(missing: Sequence[Cell], folder: Path, settings: Settings, processes: int) -> Iterator[tuple[Cell, str]]:
    """Each cell when it is written, with what went wrong if something did."""
    if processes == 1 or len(missing) < 2:
        with _one_thread():
            for cell in missing:
                yield cell, work(cell.claim.id, cell.arms, cell.index, folder, settings)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_start) as pool:
        waiting: dict[Future[str], Cell] = {
            pool.submit(work, cell.claim.id, cell.arms, cell.index, folder, settings): cell for cell in missing
        }
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            # What is being computed is finished and kept; what waits is not begun.
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def work(claim_id: str, arms: tuple[str, ...], index: int, folder: Path, settings: Settings) -> str:
    """Compute one cell and keep it; runs in a process of its own.

    Returns:
        "", or what is broken about the experiment: a failure inside it must not end the others.
    """
    claim = find(claim_id)
    assert claim.trial is not None
    lab = Lab(seed=settings.seed * SPREAD + index, size=settings.size(claim), data=settings.data)
    try:
        records = claim.trial(lab, arms)
    except (InceptionsError, MemoryError):
        raise
    except Exception as error:  # whatever an experiment does wrong is its own verdict
        return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    keep(folder, Cell(claim, arms, index), settings, records)
    return ""


def _start() -> None:
    """A worker: one thread, and the parent alone answers to Ctrl-C and to a request to stop."""
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
