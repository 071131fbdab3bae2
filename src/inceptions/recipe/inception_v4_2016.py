"""Inception-v4 as its paper trained it.

Szegedy, Ioffe, Vanhoucke, Alemi, "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning"
(arXiv:1602.07261), section 4. The training is Inception-v3's: RMSProp of decay 0.9 and epsilon 1, a learning rate of 0.045
times 0.94 every two epochs, and a running average of the weights.
"""

from dataclasses import replace

from inceptions.recipe.inception_v3_2015 import RECIPE as INCEPTION_V3

UNKNOWN = (
    "epochs: 100, as for Inception-v3",
    "clipping: mentioned in the printed version, without a threshold; 2.0, as for Inception-v3",
    "label smoothing, crops, colours, weight decay, batch norm's statistics: as for Inception-v3",
    "auxiliary head: none in the paper; the released network has one, with the weight 0.4 of the released code",
    "momentum beside RMSProp: 0.9 of the released code",
    "twenty asynchronous replicas: here one after the other",
)

RECIPE = replace(
    INCEPTION_V3,
    name="inception_v4_2016",
    summary="Inception-v4 as its paper trained it",
    source="Szegedy et al. 2016, Inception-v4, Inception-ResNet and the Impact of Residual Connections, arXiv:1602.07261, "
    "section 4",
    command="inceptions train IMAGENET/ --recipe inception_v4_2016",
    result="ImageNet without the blacklisted validation images, one crop: 20.0 % top-1 and 5.0 % top-5 error; all images, 144 "
    "crops: 17.7 % and 3.8 %",
    unknown=UNKNOWN,
    cost="4.7e18 multiply-adds on ImageNet, the backward pass counted as two forward ones",
    model="inception_v4/released",
)
