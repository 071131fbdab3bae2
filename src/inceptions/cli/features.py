"""`inceptions features`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from inceptions.cli.options import Flag, Workers
from inceptions.console import show
from inceptions.errors import UsageError


def features(
    weights: Path,
    folder: Path,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    against: Path | None = None,
    tap: str | None = None,
    maps: Flag = False,
    inception_score: Flag = False,
    preprocess: str | None = None,
    workers: Workers = "auto",
    device: str = "auto",
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Write what a network makes of images, or measure how alike two folders are.

    With --output, the features of every image: the mean of each channel of the
    last feature map, or of the one named with --tap. A .npz holds features,
    names and, of class folders, labels and classes; a .parquet file has the
    columns name, class and features.

    With --against, the Fréchet distance of two folders; with the network of
    2015-12-05 (inception_v3/fid) and its last map this is the FID. Images are
    shown as the weight file says: as pytorch-fid does with its weights, as
    torch-fidelity and TensorFlow do with those of the graph. --preprocess fid
    or graph_2015 chooses. Only equal fingerprints can be compared.

    For example:

      inceptions features runs/photos-googlenet-1 PHOTOS/ -o features.npz
      inceptions features w.safetensors PHOTOS/ -o maps.npz --maps --tap conv_1
      inceptions features inception_v3.pytorch_fid MADE/ --against REAL/
      inceptions features fid.pth MADE/ --against REAL/ --tap 64,192,768,2048
      inceptions features fid.pth MADE/ --inception-score

    Feature maps are inside a network: exported files and engines do not show
    them, so features are always computed on torch.

    Args:
        weights: A run's folder (its best weights), anybody's weight file, hf:owner/name, or a published checkpoint.
        folder: Folder of images, at any depth.
        output: File to write, .npz or .parquet.
        against: Folder of images to compare with.
        tap: Feature map, or with --against several, as 64,192,768,2048 or mixed_6e,mixed_7c [default: the last one]
        maps: With --output, write whole maps.
        inception_score: Measure the Inception Score of the first folder.
        preprocess: How images are shown, if not as the weight file says: fid, graph_2015, torchvision, …, or a file.
        workers: Threads that prepare images.
        device: auto, cpu, cuda, cuda:1 or mps.
        json: Print one JSON document instead of text.
        quiet: No progress.
    """
    from inceptions.deploy.opening import refuse_exported
    from inceptions.predict.feature_files import write_features
    from inceptions.predict.features import open_extractor
    from inceptions.predict.resemblance import resemblance
    from inceptions.train import reporter

    measure = against is not None or inception_score
    if measure == (output is not None):
        raise UsageError("Say what you want: --output FILE, or --against FOLDER and --inception-score, which may go together.")
    taps = [name.strip() for name in (tap or "").split(",") if name.strip()]
    if output is not None and len(taps) > 1:
        raise UsageError(f"A file holds the features of one tap, not of {len(taps)}: name one.")
    if maps and output is None:
        raise UsageError("--maps goes with --output.")
    refuse_exported(weights, "does not show its feature maps")
    with reporter(quiet=quiet) as progress:
        extractor = open_extractor(weights, preprocess=preprocess, device=device)
        if output is None:
            found = resemblance(
                extractor, folder, against, taps=taps, score=inception_score, workers=workers, reporter=progress
            )
        else:
            written = write_features(
                extractor, folder, output, tap=taps[0] if taps else None, maps=maps, workers=workers, reporter=progress
            )
    if json:
        show(found.to_dict() if output is None else written.to_dict())
    else:
        print(found.to_text() if output is None else written.to_text())
