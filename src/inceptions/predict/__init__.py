"""Image to answer."""

from inceptions.predict.output import expand as expand
from inceptions.predict.output import predict_files as predict_files
from inceptions.predict.predictor import Guess as Guess
from inceptions.predict.predictor import Prediction as Prediction
from inceptions.predict.predictor import Predictor as Predictor
from inceptions.predict.predictor import load as load
from inceptions.predict.samples import an_image as an_image
