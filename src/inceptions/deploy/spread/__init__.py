"""Answers for more images than one sitting, or one machine, gets through."""

from inceptions.deploy.spread.question import Question as Question
from inceptions.deploy.spread.spreading import On as On
from inceptions.deploy.spread.spreading import Report as Report
from inceptions.deploy.spread.spreading import show_all as show_all
from inceptions.deploy.spread.spreading import spread as spread
from inceptions.deploy.spread.spreading import write as write
