"""The default: a network from random weights on a few thousand photographs of one's own."""

from inceptions.data import Augment
from inceptions.recipe.declaration import Optim, Recipe, View
from inceptions.recipe.schedule import Schedule

RECIPE = Recipe(
    name="scratch",
    summary="a small set of photographs, from random weights",
    command="inceptions train PHOTOS/ --recipe scratch",
    result="googlenet on the tutorial's cats and dogs (2,000 to learn from): 0.938, at the end; 22 minutes on two cores",
    # 50 epochs reached 0.916; validations are rare to leave their time to training.
    epochs=90,
    validate_every=3,
    batch_size=32,
    # Crops of a third of the area are then as large as the network's input.
    source_size=176,
    # Small images first: most of what there is to learn early is visible at 80 pixels, at 40 % of the cost of 128.
    start_size=80,
    image_size=128,
    grow=0.8,
    # Random crops magnify what they show; larger images in use make up for it: +0.01 of accuracy at no cost in training.
    test_size=160,
    view=View(crop_share=0.91),
    label_smoothing=0.1,
    ema=0.998,
    optim=Optim(kind="adamw", lr=2e-3, weight_decay=0.05, clip=5.0),
    schedule=Schedule(kind="cosine", warmup_epochs=3),
    augment=Augment(crop_scale=(0.35, 1.0), brightness=0.3, contrast=0.3, saturation=0.3),
)
