"""Why a network answered as it did: maps of what counted, as arrays and as pictures."""

from inceptions.predict.explain.attribution import integrated_gradients as integrated_gradients
from inceptions.predict.explain.attribution import occlusion as occlusion
from inceptions.predict.explain.branches import Branch as Branch
from inceptions.predict.explain.branches import branches as branches
from inceptions.predict.explain.drawing import draw_branches as draw_branches
from inceptions.predict.explain.drawing import draw_explanation as draw_explanation
from inceptions.predict.explain.drawing import draw_filters as draw_filters
from inceptions.predict.explain.drawing import overlay as overlay
from inceptions.predict.explain.drawing import png as png
from inceptions.predict.explain.explanation import Explanation as Explanation
from inceptions.predict.explain.explanation import explain as explain
from inceptions.predict.explain.filters import first_filters as first_filters
from inceptions.predict.explain.gradcam import gradcam as gradcam
from inceptions.predict.explain.output import explain_files as explain_files
from inceptions.predict.explain.output import open_predictor as open_predictor
from inceptions.predict.explain.pair import pairs as pairs
from inceptions.predict.explain.region import seen as seen
