"""The default with trained weights: a small set of photographs, a network that has already learnt to see.

The figures behind each value: `python -m benchmarks.finetune`. Size, mean, deviation and order of the channels are those of the
weights.
"""

from inceptions.data import Augment
from inceptions.recipe.declaration import Optim, Recipe, View
from inceptions.recipe.schedule import Schedule
from inceptions.recipe.tuning import Tuning

RECIPE = Recipe(
    name="finetune",
    summary="a small set of photographs, from the weights of a trained network",
    command="inceptions train PHOTOS/ --weights FILE",
    result="Inception-v3 of 2015 up to mixed_7a: 0.995 on the tutorial's cats and dogs (2,000 to learn from), 0.970 on ten "
    "classes of ImageNet with 100 images each",
    cost="one pass over the training images, forward only",
    epochs=1,
    batch_size=32,
    image_size=299,
    aux_weight=0.0,
    # The middle of the image, where the object is larger and nothing is distorted.
    view=View(resize="shorter_side", crop_share=0.875),
    # One strength for 20 images and for 2,000: the inputs are scaled, and the optimum is flat.
    tuning=Tuning(l2=0.002),
    # For the stages, if there are any. None by default: three epochs with mixed_7a were five times the work for no gain (0.968
    # instead of 0.970 on the ten classes).
    optim=Optim(kind="adamw", lr=1e-4, weight_decay=0.05, clip=5.0),
    schedule=Schedule(kind="cosine", warmup_epochs=0.5),
    augment=Augment(crop_scale=(0.35, 1.0)),
)
