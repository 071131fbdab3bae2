"""One image, one class, one map of what counted for it."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import PIL.Image
import torch
from torch import Tensor

from inceptions.data import decode, evaluation, normalise
from inceptions.errors import UsageError, unknown
from inceptions.predict.explain.attribution import integrated_gradients, occlusion
from inceptions.predict.explain.gradcam import gradcam
from inceptions.predict.explain.region import seen
from inceptions.predict.predictor import Predictor
from inceptions.weights.store import check_classifier

Method = Literal["gradcam", "occlusion", "integrated"]

# So many classes can be listed in a message.
FEW = 20

# Of single pixels a few stand out so far that next to them the rest would look like nothing.
BRIGHTEST = {"gradcam": 1.0, "occlusion": 1.0, "integrated": 0.995}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """Why a network would give an image a class.

    Attributes:
        path: where the image came from; None if it was no file.
        label: the class that is explained.
        index: the output it belongs to.
        probability: what the network gives it, 0 to 1.
        method: how it was found out.
        tap: the feature map that was looked at; None where the pixels were.
        image: the decoded image, whole.
        box: what the network saw of it: (left, top, right, bottom) in its pixels.
        map: float32, `[rows, columns]`, spread evenly over the box. Above 0 speaks for the class, below 0 against it; the unit
            is the method's own.
    """

    path: str | None
    label: str
    index: int
    probability: float
    method: Method
    tap: str | None
    image: PIL.Image.Image
    box: tuple[float, float, float, float]
    map: Tensor

    @property
    def heat(self) -> Tensor:
        """What speaks for the class, from 0 to 1; all 0 where nothing does. Shape as `map`."""
        heat = self.map.clamp(min=0)
        top = heat.flatten().quantile(BRIGHTEST[self.method])
        return (heat / top).clamp(max=1) if top > 0 else heat

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without the image and the map."""
        return {
            "path": self.path,
            "class": self.label,
            "index": self.index,
            "probability": self.probability,
            "method": self.method,
            "tap": self.tap,
            "box": list(self.box),
        }


def explain(
    predictor: Predictor,
    image: str | Path | bytes | PIL.Image.Image,
    *,
    method: Method = "gradcam",
    tap: str | None = None,
    label: str | None = None,
) -> Explanation:
    """Explain the answer to an image.

    Args:
        predictor: the network with its preprocessing.
        image: a path, a file's content, or a Pillow image.
        method: "gradcam", or "occlusion" or "integrated" (gradients), which need captum.
        tap: for Grad-CAM, the feature map; the last one if None.
        label: the class to explain; the likeliest if None.

    Raises:
        ImageError: the image cannot be read.
        UsageError: no such class or tap.
        WeightsError: the weights have no classifier.
        MachineError: captum is missing.
    """
    check_classifier(predictor.card, "The weight file")
    index = None if label is None else number(predictor, label)
    decoded = decode(Path(image) if isinstance(image, str) else image)
    x = shown(predictor, decoded)
    temperature = predictor.calibration.temperature if predictor.calibration is not None else 1.0
    with torch.no_grad():
        probabilities = (predictor.model(x).float() / temperature).softmax(dim=1)[0]
    index = int(probabilities.argmax()) if index is None else index
    classes = torch.tensor([index], device=x.device)
    match method:
        case "gradcam":
            tap = predictor.model.architecture.tap(tap or predictor.model.architecture.way[-1])
            found = gradcam(predictor.model, x, classes, tap=tap)
        case "occlusion":
            tap, found = None, occlusion(predictor.model, x, classes)
        case "integrated":
            tap, found = None, integrated_gradients(predictor.model, x, classes)
    return Explanation(
        path=str(image) if isinstance(image, (str, Path)) else None,
        label=predictor.classes[index],
        index=index,
        probability=float(probabilities[index]),
        method=method,
        tap=tap,
        image=decoded,
        box=seen(decoded.size, predictor.preprocess),
        map=found[0].cpu(),
    )


def number(predictor: Predictor, label: str) -> int:
    """The output that a class belongs to.

    Raises:
        UsageError: there is no such class.
    """
    if label in predictor.classes:
        return predictor.classes.index(label)
    if len(predictor.classes) <= FEW:
        raise unknown("class", label, predictor.classes)
    close = get_close_matches(label, predictor.classes, n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise UsageError(f"None of the {len(predictor.classes)} classes is called {label!r}.{hint}")


def shown(predictor: Predictor, image: PIL.Image.Image) -> Tensor:
    """A decoded image as the network's input, `[1, channels, height, width]`."""
    pixels = evaluation(predictor.preprocess)(image)[None].to(predictor.device)
    return normalise(pixels, predictor.preprocess)
