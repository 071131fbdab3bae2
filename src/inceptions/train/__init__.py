"""A recipe and images become weights. Read `training` and `loop` first; the other files are their tools."""

from inceptions.train.before.find_rate import RangeTest as RangeTest
from inceptions.train.before.find_rate import find_rate as find_rate
from inceptions.train.before.forecast import forecast as forecast
from inceptions.train.ensemble import Ensemble as Ensemble
from inceptions.train.ensemble import ensemble_size as ensemble_size
from inceptions.train.ensemble import train_ensemble as train_ensemble
from inceptions.train.progress import Bars as Bars
from inceptions.train.progress import Lines as Lines
from inceptions.train.progress import Reporter as Reporter
from inceptions.train.progress import Silent as Silent
from inceptions.train.progress import clock as clock
from inceptions.train.progress import reporter as reporter
from inceptions.train.run.folder import Manifest as Manifest
from inceptions.train.run.folder import Row as Row
from inceptions.train.run.folder import read_manifest as read_manifest
from inceptions.train.run.job import Job as Job
from inceptions.train.run.job import job as job
from inceptions.train.run.outcome import Outcome as Outcome
from inceptions.train.team import told as told
from inceptions.train.training import train as train
from inceptions.train.tuning.start import adapted as adapted
from inceptions.train.tuning.start import open_start as open_start
from inceptions.train.validation import Answers as Answers
from inceptions.train.validation import validate as validate
