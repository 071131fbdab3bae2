"""Weights to scores: the protocols, the metrics, the report."""

from inceptions.evaluate.evaluation import ClassScore as ClassScore
from inceptions.evaluate.evaluation import Evaluation as Evaluation
from inceptions.evaluate.evaluation import evaluate as evaluate
from inceptions.evaluate.evaluation import own_images as own_images
from inceptions.evaluate.report import write_report as write_report
from inceptions.evaluate.text import percent as percent
from inceptions.evaluate.text import write_text as write_text
