"""`inceptions data check`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from inceptions.cli.options import Flag, Whole
from inceptions.console import show

data = App(name="data", help="Look at images before training.", sort_key=-1)


@data.command
def check(
    folder: str,
    /,
    *,
    sheet: Path | None = None,
    write_ignore: Path | None = None,
    ignore: Path | None = None,
    recipe: str = "scratch",
    set_: Annotated[tuple[str, ...], Parameter(name="--set", show_default=False)] = (),
    seed: Whole | None = None,
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Look at every image before training, and say what is wrong.

    Images that cannot be read, the same picture in training and validation or
    in two classes (re-encoded and resized ones too), names that do not fit
    the content, EXIF rotation, sizes, classes of unequal size, hidden files,
    links in circles, and whatever training would refuse.

    Leaves with 3 if something would stop training or harm what comes of it,
    with 0 if there is nothing, or only remarks. Nothing is ever deleted:
    --write-ignore writes a list for `inceptions train --ignore`.

    For example:

      inceptions data check PHOTOS/
      inceptions data check PHOTOS/ --write-ignore bad.txt
      inceptions data check PHOTOS/ --sheet sheet.png --recipe finetune
      inceptions data check 'shards/train-{000..146}.tar' --json

    Args:
        folder: Folder of photographs, or what else `inceptions train` takes.
        sheet: Draw into this PNG what a network is shown of each class, as --recipe augments.
        write_ignore: Write a list of the images that are better left out.
        ignore: Leave out the images in this list.
        recipe: For sizes and the sheet; one of `inceptions train --recipes`.
        set_: Set a field of the recipe, FIELD=VALUE; may be repeated.
        seed: Of the split that training makes; short for --set seed=…
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions.data import training
    from inceptions.data.check import Showing, write_check
    from inceptions.data.check import check as look
    from inceptions.data.check import sheet as draw
    from inceptions.data.ignore import write_ignored
    from inceptions.recipe import override
    from inceptions.recipe import recipe as published
    from inceptions.train import reporter

    settings = (*set_, *([] if seed is None else [f"seed={seed}"]))
    chosen = override(published(recipe), settings)
    with reporter(quiet=quiet) as progress:
        checked = look(
            folder,
            seed=chosen.seed,
            shown_size=chosen.image_size,
            ignore=ignore,
            progress=lambda done, total: progress.show("looking at images", done, total),
        )
    if write_ignore is not None:
        write_ignored(write_ignore, checked.left_out)
        print(f"to leave out, listed in {write_ignore}: {len(checked.left_out)}", file=sys.stderr)
    if sheet is not None and checked.splits is not None:
        showing = Showing(
            transform=training(chosen.augment, chosen.image_size),
            source_size=chosen.source_size,
            preprocess=chosen.preprocess,
            seed=chosen.sampling_seed,
        )
        draw(sheet, checked.splits, showing, title=f"{folder}, recipe {chosen.name}")
        print(f"drawn in {sheet}", file=sys.stderr)
    if json:
        show(checked.to_dict())
    else:
        write_check(checked, sys.stdout)
    checked.raise_if_harmful()
