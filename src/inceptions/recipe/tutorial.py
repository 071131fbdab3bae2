"""The best-known first experiment with cats and dogs, number by number.

2,000 presented images are far too few for any network of this size; the recipe is here because so many people start from it,
and because its published history can be compared with ours.
"""

from inceptions.data import Augment
from inceptions.recipe.declaration import Optim, Recipe, View
from inceptions.recipe.schedule import Schedule

RECIPE = Recipe(
    name="tutorial",
    summary="the Keras tutorial's experiment: 150×150, ten epochs of ten steps of 20 images",
    source="F. Chollet, Building powerful image classification models using very little data, Keras blog, 2016; "
    "Deep Learning with Python, 2017, section 5.2",
    command="inceptions train cats_and_dogs_filtered/ --model plain_cnn --recipe tutorial",
    result="val_acc 0.606 in the last of ten epochs of the published history, which hovers between 0.5 and 0.6",
    unknown=(
        "the seed: the published history is one run",
        "images are resized bilinearly; Keras takes the nearest pixel",
        "two logits with a cross-entropy stand for the one sigmoid: the same function, twice the weights in the last layer",
    ),
    epochs=10,
    steps_per_epoch=10,
    batch_size=20,
    image_size=150,
    source_size=150,
    # Keras's RMSprop: rho 0.9, and the backend's epsilon 1e-7.
    optim=Optim(kind="rmsprop", lr=1e-4, alpha=0.9, eps=1e-7),
    schedule=Schedule(kind="constant"),
    augment=Augment(crop="whole", flip=True, rotation=40, shift=0.2, shear=0.2, zoom=0.2, fill="nearest"),
    # rescale=1/255 and target_size=(150, 150), nothing else.
    view=View(resize="exact", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
)
