"""`inceptions export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from inceptions.cli.options import Flag, Whole
from inceptions.console import show


def export(
    weights: Path,
    /,
    *,
    to: Literal["onnx", "openvino", "torch-export", "safetensors"],
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    precision: Literal["float32", "bf16", "fp16", "int8"] = "float32",
    with_preprocessing: Flag = False,
    images: Path | None = None,
    size: Whole | None = None,
    heads: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = ("main",),
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Write a network down for another program, and prove that it answers alike.

    The file takes any number of images, and says itself what its classes are,
    how images are shown to it and where its weights come from. It is read
    again by the program it is for and compared with the network; if it answers
    otherwise it does not get its name (4). `inceptions predict` reads it too,
    and begins faster than from weights.

    For example:

      inceptions export runs/photos-googlenet-1 --to onnx
      inceptions export runs/photos-googlenet-1 --to openvino --precision int8 --images PHOTOS/
      inceptions export v3.safetensors --to onnx -o v3.onnx --with-preprocessing --images PHOTOS/
      inceptions export v3.safetensors --to safetensors -o half.safetensors --precision bf16

    Args:
        weights: A run's folder (its best weights), a weight file, or any other weights that predict takes.
        to: onnx (.onnx, opset 21), openvino (.xml, and .bin beside it), torch-export (.pt2) or safetensors (ours).
        output: The file to write [default: in the run's folder, or here under the weights' name].
        precision: float32, bf16 (not onnx), fp16, or int8 (onnx and openvino; needs --images).
        with_preprocessing: Let the network take pixels (uint8, channels last) and scale them itself.
        images: Folder of photographs to compare with; int8 is calibrated with half of them, best some hundreds.
        size: Height and width of the images, if another than the weights' own.
        heads: Whose answers come out, as main aux_4a.
        json: Print one JSON document instead of text.
        quiet: Do not say on standard error what is being done.
    """
    import sys

    from inceptions.deploy.export import export as write
    from inceptions.deploy.export.exporting import default_output

    def say(sentence: str) -> None:
        if not quiet:
            print(sentence, file=sys.stderr, flush=True)

    report = write(
        weights,
        output or default_output(weights, to),
        to=to,
        precision=precision,
        with_preprocessing=with_preprocessing,
        images=images,
        size=size,
        heads=heads,
        say=say,
    )
    if json:
        show(report.to_dict())
    else:
        print(report.text())
