"""What the `explain` command does: images in, a PNG for each, and a line that says what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import PIL.Image

from inceptions.data import ImageError, decode
from inceptions.data.decode import printable
from inceptions.errors import DataError, UsageError
from inceptions.files import write_bytes
from inceptions.predict.explain.branches import STRONGEST, branches
from inceptions.predict.explain.drawing import draw_branches, draw_explanation, draw_filters, png
from inceptions.predict.explain.explanation import Method, explain, shown
from inceptions.predict.explain.filters import first_filters
from inceptions.predict.explain.region import seen
from inceptions.predict.predictor import Predictor
from inceptions.predict.sources import Source
from inceptions.train.progress import Reporter
from inceptions.weights.source import load_trunk

Asked = Literal["gradcam", "occlusion", "integrated", "branches", "filters"]
LARGEST = 512


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an image.

    Attributes:
        document: plain values; with "picture", or with "error" where there is none.
        line: the same in words.
    """

    document: dict[str, Any]
    line: str


def open_predictor(weights: str | Path, *, preprocess: str | None = None, device: str = "auto") -> Predictor:
    """The network to explain; without a classifier it has no answers, but branches and filters.

    Args:
        weights: as `load` takes them.
        preprocess: how images are shown to a foreign file that does not say so.
        device: as `load`.

    Raises:
        UsageError: a foreign file does not say how images are shown to it.
        WeightsError: weights that cannot be read.
        MachineError: no such device, or the weights cannot be fetched.
    """
    model, card = load_trunk(weights, preprocess=preprocess)
    return Predictor(model, card, device=device)


def explain_files(
    predictor: Predictor,
    sources: Sequence[Source],
    *,
    out: Path,
    method: Asked = "gradcam",
    tap: str | None = None,
    label: str | None = None,
    reporter: Reporter,
    said: Callable[[Answer], None],
) -> None:
    """Draw a PNG for every image, or one of the filters, which need no image.

    Args:
        predictor: the network.
        sources: the images.
        out: folder for the pictures.
        method: what is shown.
        tap: the feature map or the module to look at.
        label: the class to explain; each image's likeliest if None.
        reporter: where progress goes.
        said: called for each picture, as soon as it is written.

    Raises:
        UsageError: options that do not go together, or an unknown tap or class.
        DataError: at the end: an image that was given by name cannot be read, or none can.
        WeightsError: the weights have no classifier.
        MachineError: captum is missing, or a picture cannot be written.
    """
    if tap is not None and method not in ("gradcam", "branches"):
        raise UsageError(f"--module goes with gradcam and branches, not with {method}.")
    if label is not None and method in ("branches", "filters"):
        raise UsageError(f"--class goes with gradcam, occlusion and integrated, not with {method}.")
    if method == "filters":
        said(filters(predictor, out))
        return
    if not sources:
        raise UsageError("Name images to explain, or a folder of them; only --method filters needs none.")
    failed: list[ImageError] = []
    answered = 0
    for done, (source, name) in enumerate(zip(sources, _names(sources, method), strict=True)):
        reporter.show(method, done, len(sources))
        try:
            if method == "branches":
                answer = sides(predictor, source.path, out / name, tap=tap)
            else:
                answer = reasons(predictor, source.path, out / name, method=method, tap=tap, label=label)
            answered += 1
        except ImageError as error:
            reason = "it is a folder without images" if source.path.is_dir() else error.reason
            if source.named:
                failed.append(ImageError(error.name, reason))
            answer = Answer({"path": str(source.path), "error": reason}, f"{printable(str(source.path))}\n  not read: {reason}")
        said(answer)
    if failed:
        more = f" So it is with {len(failed) - 1} more." if len(failed) > 1 else ""
        raise DataError(f"{failed[0]}{more}")
    if not answered:
        raise DataError(f"None of the {len(sources)} images could be read.")


def reasons(predictor: Predictor, path: Path, picture: Path, *, method: Method, tap: str | None, label: str | None) -> Answer:
    """One image's class explained, and drawn into `picture`."""
    found = explain(predictor, path, method=method, tap=tap, label=label)
    write_bytes(picture, png(draw_explanation(found)))
    line = f"{printable(str(path))}  {found.label}  {100 * found.probability:.1f} %  {picture}"
    if not bool(found.heat.any()):
        line += "  (nothing speaks for this class)"
    return Answer({**found.to_dict(), "picture": str(picture)}, line)


def sides(predictor: Predictor, path: Path, picture: Path, *, tap: str | None) -> Answer:
    """The branches of a module on one image, drawn into `picture`."""
    image = decode(path)
    found = branches(predictor.model, shown(predictor, image), tap=tap)
    box = seen(image.size, predictor.preprocess)
    scale = LARGEST / max(box[2] - box[0], box[3] - box[1])
    size = (max(1, round((box[2] - box[0]) * scale)), max(1, round((box[3] - box[1]) * scale)))
    module = found[0].name.split(".")[0]
    title = f"{module} of {predictor.card.architecture}/{predictor.card.variant}  ·  {printable(path.name)}"
    drawn = draw_branches(found, image.resize(size, PIL.Image.Resampling.LANCZOS, box=box), title=title)
    write_bytes(picture, png(drawn))
    described = [
        {"branch": one.name, "layers": one.layers, "mean": float(one.mean.mean()), "strongest": list(one.channels)}
        for one in found
    ]
    document = {"path": str(path), "method": "branches", "tap": module, "branches": described, "picture": str(picture)}
    return Answer(document, f"{printable(str(path))}  {module}: {len(found)} branches, {STRONGEST} channels each  {picture}")


def filters(predictor: Predictor, out: Path) -> Answer:
    """The first layer's filters, drawn into a file named after the network."""
    found = first_filters(predictor.model, predictor.preprocess)
    name = f"{predictor.card.architecture}-{predictor.card.variant}"
    picture = out / f"{name}-filters.png"
    count, height, width, _ = found.shape
    title = f"{predictor.card.architecture}/{predictor.card.variant}: {count} filters of {height}×{width}"
    write_bytes(picture, png(draw_filters(found, title=title)))
    document = {"method": "filters", "filters": count, "size": [height, width], "picture": str(picture)}
    return Answer(document, f"{title}  {picture}")


def _names(sources: Sequence[Source], method: str) -> Iterator[str]:
    """A file name for each picture; images of the same name are numbered."""
    taken: set[str] = set()
    for source in sources:
        stem = printable(source.path.stem) or "image"
        name, count = f"{stem}-{method}.png", 1
        while name.casefold() in taken:
            count += 1
            name = f"{stem}-{count}-{method}.png"
        taken.add(name.casefold())
        yield name
