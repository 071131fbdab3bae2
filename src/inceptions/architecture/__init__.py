"""Paper to declaration: each network as data, and what it costs, without torch."""

from inceptions.architecture.catalogue import declare as declare
from inceptions.architecture.catalogue import names as names
from inceptions.architecture.catalogue import variants as variants
from inceptions.architecture.cost import cost as cost
from inceptions.architecture.declaration import Architecture as Architecture
from inceptions.architecture.diagram import diagram as diagram
from inceptions.architecture.options import Options as Options
