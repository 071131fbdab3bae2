"""GoogLeNet as its paper trained it.

Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, "Going Deeper with Convolutions" (arXiv:1409.4842),
sections 5 and 6. What the paper leaves out is filled from the replication in Caffe (`models/bvlc_googlenet/solver.prototxt`),
which follows the same schedule: 10 million steps of 32 images.

The paper's answer is an ensemble of seven such models, which start from the same weights and see other samplings of the images:

    inceptions train IMAGENET/ --recipe googlenet_2014 --ensemble 7
"""

from inceptions.data import Augment
from inceptions.recipe.changes import DISTORTION, EVERY, LIGHTING, WEIGHT_DECAY
from inceptions.recipe.declaration import Optim, Recipe, View
from inceptions.recipe.schedule import Schedule

RECIPE = Recipe(
    name="googlenet_2014",
    summary="GoogLeNet as its paper trained it: SGD, Polyak averaging, three heads, strong crops and colours",
    source="Szegedy et al. 2014, Going Deeper with Convolutions, arXiv:1409.4842, sections 5 and 6",
    command="inceptions train IMAGENET/ --recipe googlenet_2014 --ensemble 7",
    result="ImageNet, top-5 error on the validation set: 10.07 % (one model, one crop), 9.15 % (10 crops), 7.89 % (144 crops); "
    "seven models 8.09 %, 7.62 %, 6.67 %",
    unknown=(
        "learning rate, batch and weight decay: 0.01, 32 and 0.0002 of the Caffe replication, which doubles the rate of biases",
        "epochs: 250, as the replication",
        "over which iterates Polyak averaging runs: evenly over those of the last half of the run",
        "asynchronous updates of many machines: here one after the other",
        "mean of the pixels: Caffe's 123, 117, 104, on a scale of 0 to 255 that is not divided",
        "one of the seven models was wider, by how much is not said: here all are alike",
        "the resize's own filter: bilinear and cubic are antialiased",
    ),
    cost="1.5e18 multiply-adds a model on ImageNet, the backward pass counted as two forward ones",
    model="googlenet/paper",
    epochs=250,
    batch_size=32,
    image_size=224,
    aux_weight=0.3,
    polyak=0.5,
    optim=Optim(kind="sgd", lr=0.01, momentum=0.9, weight_decay=WEIGHT_DECAY),
    schedule=Schedule(kind="exponential", decay=0.96, every=EVERY),
    augment=Augment(
        crop_scale=(0.08, 1.0),
        crop_ratio=(3 / 4, 4 / 3),
        interpolation="random",
        brightness=DISTORTION,
        contrast=DISTORTION,
        saturation=DISTORTION,
        colour_order="random",
        lighting=LIGHTING,
    ),
    view=View(mean=(123 / 255, 117 / 255, 104 / 255), std=(1 / 255, 1 / 255, 1 / 255)),
)
