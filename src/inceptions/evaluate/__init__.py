"""Weights to scores: the protocols, the metrics, the report."""

from inceptions.evaluate.calibration import Fitted as Fitted
from inceptions.evaluate.calibration import calibrate as calibrate
from inceptions.evaluate.compare import Comparison as Comparison
from inceptions.evaluate.compare import compare as compare
from inceptions.evaluate.contenders import Contender as Contender
from inceptions.evaluate.contenders import images_for as images_for
from inceptions.evaluate.contenders import opened as opened
from inceptions.evaluate.contenders import own_images as own_images
from inceptions.evaluate.contenders import sorted_out as sorted_out
from inceptions.evaluate.ensemble import evaluate_models as evaluate_models
from inceptions.evaluate.evaluation import ClassScore as ClassScore
from inceptions.evaluate.evaluation import Evaluation as Evaluation
from inceptions.evaluate.judging import evaluate as evaluate
from inceptions.evaluate.kept import Asker as Asker
from inceptions.evaluate.kept import default_cache as default_cache
from inceptions.evaluate.protocol import Protocol as Protocol
from inceptions.evaluate.protocol import numbers as numbers
from inceptions.evaluate.protocol import protocols as protocols
from inceptions.evaluate.report import write_report as write_report
from inceptions.evaluate.table import Table as Table
from inceptions.evaluate.table import tabulate as tabulate
from inceptions.evaluate.text import percent as percent
from inceptions.evaluate.text import write_csv as write_csv
from inceptions.evaluate.text import write_text as write_text
