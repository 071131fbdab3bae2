"""`inceptions bench`."""

from __future__ import annotations

from pathlib import Path

from inceptions.cli.options import Flag, Whole
from inceptions.console import show


def bench(
    *models: str,
    against: str = "torchvision,timm,openvino,onnxruntime",
    batch: str = "1,16",
    precision: str = "float32,bf16",
    engine: str = "auto",
    size: str | None = None,
    threads: Whole | None = None,
    rounds: Whole = 9,
    seconds: float | None = None,
    weights: str | None = None,
    images: Path | None = None,
    markdown: Path | None = None,
    roofline: Path | None = None,
    memory: Flag = False,
    json: Flag = False,
    quiet: Flag = False,
) -> None:
    """Measure how fast a network runs here, beside what people run otherwise.

    Ours, rewritten and on an engine, against the unmodified network of
    torchvision or timm: eager as it comes (the first row, which the others are
    compared with), at its best setting, and exported to ONNX and run by
    OpenVINO and ONNX Runtime. All hold the same weights and see the same
    images, one after the other in every round, and their answers are compared.

    For example:

      inceptions bench
      inceptions bench inception_v3 --batch 16 --precision bf16
      inceptions bench googlenet inception_v4 --against timm --rounds 5
      inceptions bench --weights v3.safetensors --images PHOTOS/
      inceptions bench inception_v3 --roofline v3.png --markdown v3.md
      inceptions bench inception_v3 --against keras --json
      inceptions bench inception_v3 --against torchvision --memory
      inceptions bench --weights v3.safetensors --images PHOTOS/ --precision int8

    Args:
        models: Networks, as `inceptions models` lists them [default: googlenet].
        against: Peers: torchvision,timm,openvino,onnxruntime,keras (by KERAS_BACKEND, else torch),torch-compile (minutes).
        batch: Images at a time, as 1,16.
        precision: float32, bf16, int8 (needs --images), or several. The first row is float32 in any case.
        engine: Ours: auto, eager, compiled (takes minutes), openvino, onnxruntime, cuda, …; several as eager,openvino.
        size: Side of the images in pixels, or HEIGHTxWIDTH; the published one if left out.
        threads: Of every system; its own number if left out.
        rounds: How often each has its turn.
        seconds: Begin no round of a network and batch later than this, after the third.
        weights: Measure these (a run's folder, a weight file, …) instead of random weights.
        images: Folder of photographs to compare answers on; int8 is calibrated on half of them.
        markdown: Write the table into this file too.
        roofline: Draw each module's speed beside what the machine allows, into this PNG file.
        memory: Measure the peak memory of every system too, each in a process of its own.
        json: Print the rows as one JSON document instead of text.
        quiet: Do not say on standard error what is being done.
    """
    import sys

    from inceptions.architecture.text import read_size
    from inceptions.deploy.bench.benching import bench as measure
    from inceptions.errors import UsageError
    from inceptions.files import write_text
    from inceptions.train.progress import reporter

    def words(written: str) -> list[str]:
        return list(dict.fromkeys(word.strip() for word in written.split(",") if word.strip()))

    if models and weights is not None:
        raise UsageError("The weights say themselves which network they are: name networks or --weights, not both.")
    if not all(word.isdecimal() for word in words(batch)):
        raise UsageError(f"--batch is one or more numbers of images, as 1,16, not {batch!r}.")
    found = measure(
        models or ("googlenet",),
        against=words(against),
        batches=[int(word) for word in words(batch)],
        precisions=words(precision),
        engines=words(engine),
        size=None if size is None else read_size(size),
        threads=threads,
        rounds=rounds,
        seconds=seconds,
        weights=weights,
        images=images,
        picture=roofline,
        memory=memory,
        report=reporter(quiet=quiet),
    )
    if markdown is not None:
        write_text(markdown, found.to_text() + "\n")
    if json:
        if not quiet:
            print(*found.remarks, sep="\n", file=sys.stderr)
        show([row.to_dict() for row in found.rows])
    else:
        print(found.to_text())
