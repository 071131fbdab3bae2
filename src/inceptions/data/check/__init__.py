"""What is wrong with a folder of images, said before training: `inceptions data check`."""

from inceptions.data.check.audit import Check as Check
from inceptions.data.check.audit import check as check
from inceptions.data.check.sheet import Showing as Showing
from inceptions.data.check.sheet import sheet as sheet
from inceptions.data.check.text import write_check as write_check
