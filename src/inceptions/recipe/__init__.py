"""What a training run is, as data: one file per recipe."""

from inceptions.recipe.catalogue import names as names
from inceptions.recipe.catalogue import recipe as recipe
from inceptions.recipe.declaration import Optim as Optim
from inceptions.recipe.declaration import Recipe as Recipe
from inceptions.recipe.declaration import View as View
from inceptions.recipe.overrides import override as override
from inceptions.recipe.schedule import Schedule as Schedule
from inceptions.recipe.toml import from_table as from_table
from inceptions.recipe.toml import from_toml as from_toml
from inceptions.recipe.toml import to_table as to_table
from inceptions.recipe.toml import to_toml as to_toml
from inceptions.recipe.tuning import Tuning as Tuning
