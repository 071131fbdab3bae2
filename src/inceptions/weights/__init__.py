"""Weight files in and out."""

from inceptions.weights.card import Card as Card
from inceptions.weights.create import create_model as create_model
from inceptions.weights.preprocess import IMAGENET_MEAN as IMAGENET_MEAN
from inceptions.weights.preprocess import IMAGENET_STD as IMAGENET_STD
from inceptions.weights.preprocess import Preprocess as Preprocess
from inceptions.weights.store import load_model as load_model
from inceptions.weights.store import read_weights as read_weights
from inceptions.weights.store import save_weights as save_weights
