"""`inceptions convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from inceptions.cli.options import Flag
from inceptions.console import show


def convert(
    file: Path,
    /,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    to: str | None = None,
    group: str | None = None,
    variant: str | None = None,
    preprocess: str | None = None,
    classes: str | None = None,
    background: Literal["drop", "keep"] = "drop",
    partial: Flag = False,
    json: Flag = False,
) -> None:
    """Make a weight file of ours out of anybody's, or the other way round.

    Network, variant, number of classes and preprocessing are found out from
    the names and shapes in the file. What it does not say is asked for. Every
    tensor is used exactly once and none is invented; what is missing or left
    over is said, and refused without --partial.

    For example:

      inceptions convert inception_v3_google-0cc3c7bd.pth -o v3.safetensors
      inceptions convert inception_v4.ckpt -o v4.safetensors
      inceptions convert mine.pth -o mine.safetensors --preprocess torchvision --classes names.txt
      inceptions convert v3.safetensors -o v3.h5 --to keras

    Args:
        file: Weights of torchvision, timm, Keras, TF-slim, Caffe, facenet, …, or ours.
        output: The file to write: ours (.safetensors), or that of --to.
        to: Family to write for: torchvision, timm, keras, slim, cadene, facenet, fid, bvlc, …
        group: Which dictionary of a training checkpoint [default: averaged weights if there are any]
        variant: Of the network, where names cannot tell.
        preprocess: How images are shown to it: torchvision, timm, keras, …, a tag of published weights, or a JSON or TOML file.
        classes: What its outputs are called: imagenet, synsets, numbered, or a file with a name a line.
        background: What becomes of outputs that stand for nothing, as the first of 1001.
        partial: Accept that tensors are missing (it then ends at the last complete layer) or have no place.
        json: Print one JSON document instead of text.
    """
    from inceptions.weights import open_any, save_weights
    from inceptions.weights.home import check_family, check_output, left_behind, write_home

    if to is not None:
        check_family(to)
    check_output(output, file, to)
    opened = open_any(
        file, group=group, variant=variant, preprocess=preprocess, classes=classes, background=background, partial=partial
    )
    if to is None:
        save_weights(output, opened.tensors, opened.card)
    else:
        write_home(output, opened.tensors, opened.card, to)
    found = opened.summary(file.name)
    if json:
        show({**found.to_dict(), "output": str(output), "to": to or "inceptions"})
        return
    print(found.text())
    for sentence in left_behind(opened.card, to) if to else ():
        print(f"{'note':<9} {sentence}")
    print(f"{'written':<9} {output}")
