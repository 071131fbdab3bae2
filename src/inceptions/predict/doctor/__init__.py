"""Weight file to diagnosis: can these weights be right, and are they fed what they were trained on?"""

from inceptions.predict.doctor.examine import examine as examine
from inceptions.predict.doctor.findings import Checkup as Checkup
from inceptions.predict.doctor.findings import Finding as Finding
