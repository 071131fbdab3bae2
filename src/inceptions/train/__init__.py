"""A recipe and images become weights. Read `training` and `loop` first; the other files are their tools."""

from inceptions.train.loop import Outcome as Outcome
from inceptions.train.progress import Bars as Bars
from inceptions.train.progress import Lines as Lines
from inceptions.train.progress import Reporter as Reporter
from inceptions.train.progress import Silent as Silent
from inceptions.train.progress import clock as clock
from inceptions.train.progress import reporter as reporter
from inceptions.train.runfolder import Manifest as Manifest
from inceptions.train.runfolder import Row as Row
from inceptions.train.runfolder import read_manifest as read_manifest
from inceptions.train.runs import Job as Job
from inceptions.train.runs import job as job
from inceptions.train.training import train as train
from inceptions.train.validation import Answers as Answers
from inceptions.train.validation import validate as validate
