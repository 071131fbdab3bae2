"""Weights to scores: the protocols, the metrics, the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inceptions.lazy import on_first_use

if TYPE_CHECKING:
    from inceptions.evaluate.answerer import Answerer as Answerer
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
    from inceptions.evaluate.report import check_name as check_name
    from inceptions.evaluate.report import write_evaluation_report as write_evaluation_report
    from inceptions.evaluate.report import write_report as write_report
    from inceptions.evaluate.table import Table as Table
    from inceptions.evaluate.table import tabulate as tabulate
    from inceptions.evaluate.text import percent as percent
    from inceptions.evaluate.text import write_csv as write_csv
    from inceptions.evaluate.text import write_text as write_text
    from inceptions.evaluate.together import joined as joined
    from inceptions.evaluate.together import opened_by_all as opened_by_all
    from inceptions.evaluate.trained import evaluate_trained as evaluate_trained

__getattr__, __dir__ = on_first_use(
    __name__,
    {
        "answerer": ("Answerer",),
        "calibration": ("Fitted", "calibrate"),
        "compare": ("Comparison", "compare"),
        "contenders": ("Contender", "images_for", "opened", "own_images", "sorted_out"),
        "ensemble": ("evaluate_models",),
        "evaluation": ("ClassScore", "Evaluation"),
        "judging": ("evaluate",),
        "kept": ("Asker", "default_cache"),
        "protocol": ("Protocol", "numbers", "protocols"),
        "report": ("check_name", "write_evaluation_report", "write_report"),
        "table": ("Table", "tabulate"),
        "text": ("percent", "write_csv", "write_text"),
        "together": ("joined", "opened_by_all"),
        "trained": ("evaluate_trained",),
    },
)
