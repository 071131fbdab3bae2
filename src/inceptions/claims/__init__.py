"""The papers' claims as experiments: what each says, how it is measured here, and what comes of it.

Read `claim` and `statistics` first; a file of `experiments` is one claim.
"""

from inceptions.claims.catalogue import CLAIMS as CLAIMS
from inceptions.claims.catalogue import chosen as chosen
from inceptions.claims.cells import Settings as Settings
from inceptions.claims.cells import read_settings as read_settings
from inceptions.claims.plan import Plan as Plan
from inceptions.claims.plan import minutes as minutes
from inceptions.claims.plan import plan as plan
from inceptions.claims.report import write_report as write_report
from inceptions.claims.results import Result as Result
from inceptions.claims.runner import all_results as all_results
from inceptions.claims.runner import run as run
from inceptions.claims.text import described as described
from inceptions.claims.text import list_text as list_text
from inceptions.claims.text import plan_text as plan_text
from inceptions.claims.text import results_text as results_text
