"""Inception-v3 as its paper trained it, at 299 pixels and at the two lower resolutions of section 9.

Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception Architecture for Computer Vision" (arXiv:1512.00567).
"""

from dataclasses import replace

from inceptions.data import Augment
from inceptions.recipe.declaration import Optim, Recipe, View
from inceptions.recipe.schedule import Schedule

RECIPE = Recipe(
    name="inception_v3_2015",
    summary="Inception-v3 as its paper trained it: TensorFlow's RMSProp, label smoothing, auxiliary head, averaged weights",
    source="Szegedy et al. 2015, Rethinking the Inception Architecture, arXiv:1512.00567, sections 4, 7 and 8",
    command="inceptions train IMAGENET/ --recipe inception_v3_2015",
    result="ImageNet without the blacklisted validation images, one crop: 21.2 % top-1 and 5.6 % top-5 error (the released "
    "weights: 22.0 % and 6.1 % on all); four models with 144 crops: 17.3 % and 3.5 %",
    unknown=(
        "momentum beside RMSProp: 0.9 of the released code",
        "decay of the averaged weights: 0.9999, ramped up by the number of updates, of the released code",
        "weight of the auxiliary head: 0.4 of the released code, which trained the published weights; GoogLeNet's was 0.3",
        "weight decay: 0.00004 of the released code, where it is a part of the loss and so of what is clipped",
        "batch norm's running statistics: 0.0003 of each batch, of the released code",
        "crops and colours: the released code's, but that brightness is multiplied here and added there, and that there a crop "
        "shows at least a tenth of an object's box",
        "fifty asynchronous replicas of 32 images: here one after the other",
    ),
    cost="2.2e18 multiply-adds on ImageNet, the backward pass counted as two forward ones",
    model="inception_v3/tensorflow",
    epochs=100,
    batch_size=32,
    image_size=299,
    aux_weight=0.4,
    label_smoothing=0.1,
    ema=0.9999,
    dropout=0.2,
    bn_momentum=0.0003,
    optim=Optim(kind="rmsprop_tf", lr=0.045, alpha=0.9, momentum=0.9, eps=1.0, weight_decay=4e-5, clip=2.0),
    schedule=Schedule(kind="exponential", decay=0.94, every=2),
    augment=Augment(
        crop_scale=(0.05, 1.0),
        crop_ratio=(3 / 4, 4 / 3),
        interpolation="random",
        brightness=0.125,
        contrast=0.5,
        saturation=0.5,
        colour_order="random",
        hue=0.2,
    ),
    view=View(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
)

# Section 9: a first layer of stride 1 sees 151 pixels as one of stride 2 sees 299, and without the first pooling 79 are enough
# for maps of about the same size, so that all three cost the same.
LOWER = "the layers that see fewer pixels are the released network's first convolution and first pooling"

RECIPE_151 = replace(
    RECIPE,
    name="inception_v3_2015_151",
    summary="the same at 151 pixels: stride 1 in the first layer",
    command="inceptions train IMAGENET/ --recipe inception_v3_2015_151",
    result="ImageNet, 76.4 % top-1 accuracy, one crop (76.6 % at 299 pixels; Table 2)",
    unknown=(*RECIPE.unknown, LOWER),
    model="inception_v3/tensorflow_151",
    image_size=151,
)
RECIPE_79 = replace(
    RECIPE,
    name="inception_v3_2015_79",
    summary="the same at 79 pixels: stride 1 in the first layer, no pooling behind the first layers",
    command="inceptions train IMAGENET/ --recipe inception_v3_2015_79",
    result="ImageNet, 75.2 % top-1 accuracy, one crop (76.6 % at 299 pixels; Table 2)",
    unknown=(*RECIPE.unknown, LOWER),
    model="inception_v3/tensorflow_79",
    image_size=79,
)
