"""Inception-ResNet as its paper trained it, with scaled residuals, and with the warm-up that it weighs against them.

Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning"
(arXiv:1602.07261), section 3.3: with more than a thousand filters residual networks "just died", their last layer nothing but
zeros after some ten thousand steps, which neither a lower rate nor more batch norm prevented. Residuals scaled by 0.1 to 0.3
did. Each network declares its own scales in that range (0.17, 0.1 and 0.2 for its three kinds of block);
`--set residual_scale=0.3` gives all blocks the same.

He et al. 2015 (arXiv:1512.03385, section 4.2) begin with a low rate instead. The paper found even 0.00001 too high for the
widest networks, and that the high rate afterwards can undo what was gained. `inception_resnet_2016_warmup` is that alternative:
residuals as they are, and one epoch at 0.00001.
"""

from dataclasses import replace

from inceptions.recipe.inception_v4_2016 import RECIPE as INCEPTION_V4
from inceptions.recipe.inception_v4_2016 import UNKNOWN
from inceptions.recipe.schedule import Schedule

RECIPE = replace(
    INCEPTION_V4,
    name="inception_resnet_2016",
    summary="Inception-ResNet-v2 as its paper trained it: residuals scaled by 0.1 to 0.2",
    command="inceptions train IMAGENET/ --recipe inception_resnet_2016",
    result="ImageNet without the blacklisted validation images, one crop: 19.9 % top-1 and 4.9 % top-5 error (Inception-"
    "ResNet-v1: 21.3 % and 5.5 %); all images, 144 crops: 17.8 % and 3.7 %",
    unknown=("which scale where: those of the released code", *UNKNOWN),
    cost="5.1e18 multiply-adds on ImageNet, the backward pass counted as two forward ones",
    model="inception_resnet_v2/released",
)

WARMUP = replace(
    RECIPE,
    name="inception_resnet_2016_warmup",
    summary="the alternative the paper argues against: residuals as they are, a first phase at a very low rate",
    command="inceptions train IMAGENET/ --recipe inception_resnet_2016_warmup",
    result="not published; for more than a thousand filters the paper reports that it does not help",
    unknown=("length of the first phase: an epoch; He et al. took some 400 steps", *UNKNOWN),
    residual_scale=1.0,
    schedule=Schedule(kind="exponential", decay=0.94, every=2, warmup_epochs=1, warmup_factor=1e-5 / 0.045),
)
