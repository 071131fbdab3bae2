"""Declaration to network: one builder, a handful of layers, the initialisers."""

from inceptions.network.first_layer import adapt_input as adapt_input
from inceptions.network.initialise import initialise as initialise
from inceptions.network.initialise import truncated_normal_ as truncated_normal_
from inceptions.network.model import Network as Network
from inceptions.network.model import create_model as create_model
from inceptions.network.model import from_architecture as from_architecture
from inceptions.network.model import list_models as list_models
