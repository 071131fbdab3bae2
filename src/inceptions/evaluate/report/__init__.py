"""The report: everything about a run or an evaluation on one page that opens from the disk."""

from inceptions.evaluate.report.mistakes import Explain as Explain
from inceptions.evaluate.report.page import check_name as check_name
from inceptions.evaluate.report.page import write_evaluation_report as write_evaluation_report
from inceptions.evaluate.report.page import write_report as write_report
