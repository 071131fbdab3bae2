"""`inceptions claims`."""

from __future__ import annotations

import os
from pathlib import Path

from cyclopts import App

from inceptions.cli.options import Flag, Whole
from inceptions.console import show
from inceptions.errors import UsageError

claims = App(name="claims", help="Run the papers' claims as experiments.", sort_key=-1)
FOLDER = Path("runs/claims")


@claims.command(name="list")
def list_(*, json: Flag = False) -> None:
    """List the claims with their sources.

    For example:

      inceptions claims list

    Args:
        json: Print one JSON document instead of text.
    """
    from inceptions import claims as room

    if json:
        show([room.described(claim) for claim in room.CLAIMS])
    else:
        print(room.list_text(room.CLAIMS))


@claims.command
def run(
    *ids: str,
    all_: Flag = False,
    budget: str = "30m",
    data: str = "digits",
    full: Flag = False,
    seed: Whole = 0,
    processes: Whole | None = None,
    run: Path = FOLDER,
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Run claims, and write a report of what came of them.

    Each claim is an experiment with a prediction made beforehand: it holds
    here, does not hold here, or cannot be decided at this size. The budget is
    minutes of two cores; it decides beforehand how many seeds every experiment
    gets, so that the figures do not depend on how fast the machine is (the
    times among them do). What is finished is kept: the same command goes on
    where it was stopped, and a larger budget adds seeds.

    For example:

      inceptions claims run batch-norm
      inceptions claims run 8 15 --budget 10m
      inceptions claims run --all --budget 60m
      inceptions claims run --all --data PHOTOS/ --run runs/claims-photos

    Args:
        ids: Claims, by number or name.
        all_: Every claim.
        budget: Minutes of two cores, as 30m or 1h.
        data: A folder of photographs, or digits.
        full: The papers' widths, resolutions and numbers of steps, for ImageNet; on the processor that is months.
        seed: Base of all seeds.
        processes: How many at once [default: the cores there are]
        run: Folder of the results.
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions import claims as room
    from inceptions.train import reporter

    if all_ == bool(ids):
        raise UsageError("Name the claims to run, or say --all; `inceptions claims list` names them.")
    if processes is not None and processes < 1:
        raise UsageError(f"--processes must be at least 1, not {processes}.")
    chosen = list(room.CLAIMS) if all_ else room.chosen(ids)
    plan = room.plan(chosen, room.minutes(budget), full=full)
    settings = room.Settings(data=data, seed=seed, full=full)
    with reporter(quiet=quiet) as progress:
        progress.say(room.plan_text(plan))
        found = room.run(plan, run, settings, processes=processes or os.cpu_count() or 1, progress=progress)
        page = room.write_report(run, found, settings)
    if json:
        show({"run": str(run), "report": str(page), "seeds": plan.seeds, "claims": [result.to_dict() for result in found]})
    else:
        print(room.results_text(found))
        print(f"\nreport    {page}")


@claims.command
def report(*, run: Path = FOLDER, json: Flag = False) -> None:
    """Write the report of what has been run so far.

    One page that needs nothing else (report.html), the same in Markdown, and a
    picture for every claim.

    For example:

      inceptions claims report
      inceptions claims report --run runs/claims-photos --json

    Args:
        run: Folder of the results.
        json: Print one JSON document instead of text.
    """
    from inceptions import claims as room

    settings = room.read_settings(run)
    found = room.all_results(run, settings)
    page = room.write_report(run, found, settings)
    if json:
        show({"run": str(run), "report": str(page), "claims": [result.to_dict() for result in found]})
    else:
        print(room.results_text(found))
        print(f"\nreport    {page}")
