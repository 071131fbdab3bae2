"""The demonstration: the handwritten digits that ship inside scikit-learn, in a minute or two on two cores."""

from inceptions.data import Augment
from inceptions.recipe.declaration import Optim, Recipe, View
from inceptions.recipe.schedule import Schedule

RECIPE = Recipe(
    name="digits",
    summary="handwritten digits of 8×8 pixels, drawn larger",
    command="inceptions train",
    epochs=10,
    batch_size=32,
    image_size=32,
    ema=0.99,
    optim=Optim(kind="adamw", lr=2e-3, weight_decay=0.05, clip=5.0),
    schedule=Schedule(kind="cosine", warmup_epochs=1),
    # A mirrored digit is no digit: small turns and shifts only.
    augment=Augment(crop="whole", flip=False, rotation=10, shift=0.08, zoom=0.1, fill="constant"),
    view=View(resize="exact", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
)
