"""Files of weights in any format people hold them in: recognised by their content, read within their own size."""

from inceptions.weights.containers.checkpoint import Checkpoint as Checkpoint
from inceptions.weights.containers.checkpoint import Container as Container
from inceptions.weights.containers.reading import read as read
from inceptions.weights.containers.writing import WRITABLE as WRITABLE
from inceptions.weights.containers.writing import write as write
