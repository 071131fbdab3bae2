"""`inceptions explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from inceptions.cli.options import Flag
from inceptions.console import show


def explain(
    weights: Path,
    images: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    /,
    *,
    method: Literal["gradcam", "occlusion", "integrated", "branches", "filters"] = "gradcam",
    module: str | None = None,
    class_: Annotated[str | None, Parameter(name="--class")] = None,
    out: Path = Path("explanations"),
    preprocess: str | None = None,
    device: str = "auto",
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Show what in a photograph counted for the answer.

    Draws a PNG for every image: the part of the photograph that the network
    saw, and beside it the same in grey with what counted in light colours.

      gradcam      the places in a feature map that speak for the class
      occlusion    how much the class loses when a patch is covered
      integrated   what each pixel adds to it (integrated gradients)
      branches     what each branch of a module, each size of filter, sees
      filters      the first layer's filters; needs no image

    Occlusion and integrated gradients need captum:
    pip install 'inceptions[explain]'. Occlusion asks the network about 200
    times an image.

    For example:

      inceptions explain runs/photos-googlenet-1 cat.jpg
      inceptions explain runs/photos-googlenet-1 cat.jpg --class dog
      inceptions explain weights.safetensors HOLIDAYS/ --module inception_4c
      inceptions explain weights.safetensors cat.jpg --method branches
      inceptions explain inception_v3.torchvision_in1k --method filters

    Args:
        weights: A run's folder (its best weights), anybody's weight file, hf:owner/name, or a published checkpoint.
        images: Images, and folders of images.
        method: What to show.
        module: For gradcam and branches, the layer or module to look at [default: the last one]
        class_: The class to explain [default: the likeliest]
        out: Folder for the pictures.
        preprocess: How images are shown to a foreign file that does not say so: torchvision, timm, keras, caffe, …
        device: auto, cpu, cuda, cuda:1 or mps.
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions.deploy.opening import refuse_exported
    from inceptions.predict import expand
    from inceptions.predict.explain import explain_files, open_predictor
    from inceptions.train import reporter

    refuse_exported(weights, "shows nothing of its inside")
    found: list[dict[str, Any]] = []
    with reporter(quiet=quiet) as progress:
        predictor = open_predictor(weights, preprocess=preprocess, device=device)
        try:
            explain_files(
                predictor,
                expand(images),
                out=out,
                method=method,
                tap=module,
                label=class_,
                reporter=progress,
                said=lambda answer: found.append(answer.document) if json else print(answer.line, flush=True),
            )
        finally:
            if json and found:
                show(found)
