"""Networks written down for other programs, each read again and compared before it gets its name."""

from inceptions.deploy.export.exporting import Report as Report
from inceptions.deploy.export.exporting import export as export
from inceptions.deploy.export.formats import FORMATS as FORMATS
from inceptions.deploy.export.formats import Format as Format
from inceptions.deploy.export.parity import Parity as Parity
