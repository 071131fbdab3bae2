"""Image to answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inceptions.lazy import on_first_use

if TYPE_CHECKING:
    from inceptions.predict.answers import Guess as Guess
    from inceptions.predict.answers import Prediction as Prediction
    from inceptions.predict.output import expand as expand
    from inceptions.predict.output import predict_files as predict_files
    from inceptions.predict.predictor import Predictor as Predictor
    from inceptions.predict.predictor import load as load
    from inceptions.predict.samples import an_image as an_image

__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "answers": ("Guess", "Prediction"),
        "output": ("expand", "predict_files"),
        "predictor": ("Predictor", "load"),
        "samples": ("an_image",),
    },
)
