"""A page for people and an API for programs, in front of weights: `inceptions serve`."""

from inceptions.deploy.serve.limits import Limits as Limits
from inceptions.deploy.serve.running import serve as serve
