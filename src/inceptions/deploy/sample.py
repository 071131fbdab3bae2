"""Some photographs of a folder, to compare answers on and to calibrate with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inceptions.data import ImageError, decode, find_images
from inceptions.data.showing import Pixels, showing
from inceptions.errors import DataError
from inceptions.weights import Preprocess


def sample(folder: Path, preprocess: Preprocess, most: int) -> Pixels:
    """Images as a network is shown them, `[images, height, width, 3]`; those that cannot be read are passed over.

    Args:
        folder: searched with all that is in it.
        preprocess: how they are shown.
        most: how many are taken, evenly spread over the names, where there are more.

    Raises:
        DataError: there is no such folder, or no image in it can be read.
    """
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    show = showing(preprocess)
    found = find_images(folder)
    chosen = [found[place * len(found) // most] for place in range(most)] if len(found) > most else found
    shown: list[NDArray[Any]] = []
    for path in chosen:
        try:
            shown.append(show(decode(path)))
        except ImageError:
            continue
    if not shown:
        raise DataError(f"{folder} holds no image that can be read.")
    return np.stack(shown)
