"""`inceptions doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inceptions.cli.options import Flag
from inceptions.console import show


def doctor(
    weights: Path,
    images: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    /,
    *,
    preprocess: str | None = None,
    json: Flag = False,
) -> None:
    """Examine a weight file: is it sound, and is it fed what it was trained on?

    Looks for NaN, dead filters, batch norm that no image ever touched and
    classes that were never trained. Then shows it photographs (two that come
    with scikit-learn, or yours) and says whether its answers depend on them,
    and whether its preprocessing fits the statistics in its batch norm.

    Leaves with 4 if something is broken; warnings are only said.

    For example:

      inceptions doctor runs/photos-googlenet-1
      inceptions doctor weights.safetensors some.jpg other.jpg
      inceptions doctor somebodys.pth --preprocess imagenet
      inceptions doctor inception_v3.torchvision_in1k --json

    Args:
        weights: A run's folder (its best weights), anybody's weight file, hf:owner/name, or a published checkpoint.
        images: Photographs like those it was trained on.
        preprocess: How images are shown to a foreign file that does not say so: torchvision, timm, keras, caffe, …
        json: Print one JSON document instead of text.
    """
    from inceptions.deploy.opening import refuse_exported
    from inceptions.predict.doctor import examine
    from inceptions.predict.doctor.examine import raise_if_broken

    refuse_exported(weights, "shows nothing of its inside")
    checkup = examine(weights, images, preprocess=preprocess)
    if json:
        show(checkup.to_dict())
    else:
        print(checkup.to_text())
    raise_if_broken(checkup)
