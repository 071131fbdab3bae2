"""BN-Inception as its paper trained it: GoogLeNet's recipe with seven changes, each of which can be taken back alone.

Ioffe, Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift"
(arXiv:1502.03167), section 4.2. The changes are switches of their own:

    --set changes.higher_rate=5             BN-x5; 1 takes the change back
    --set changes.no_dropout=false          40 % dropout before the classifier
    --set changes.weaker_decay=1            the L2 weight of GoogLeNet
    --set changes.faster_schedule=1         the learning rate falls every 8 epochs
    --set changes.no_lrn=false              local response normalisation behind the first pooling and the third convolution
    --set changes.thorough_shuffling=false  only the shards are shuffled, what lies in one stays together
    --set changes.less_distortion=false     photometric distortions at full strength

A switch sets the fields of the recipe that it decides; what is set by name as well counts more. The paper's ensemble is made of
six variants of BN-x30: larger initial weights, 5 % or 10 % dropout (`--set dropout=0.05`), or other normalisation in the last
layers.
"""

from dataclasses import replace

from inceptions.recipe.changes import Changes
from inceptions.recipe.googlenet_2014 import RECIPE as GOOGLENET
from inceptions.recipe.overrides import changed

RECIPE = changed(
    replace(
        GOOGLENET,
        name="bn_inception_2015",
        summary="BN-Inception as its paper trained it: the seven changes to GoogLeNet's recipe, a switch each (BN-x30)",
        source="Ioffe and Szegedy 2015, Batch Normalization, arXiv:1502.03167, section 4.2",
        command="inceptions train IMAGENET/ --recipe bn_inception_2015",
        result="ImageNet, top-1 accuracy on the validation set, one crop: 74.8 % (BN-x30, best after 6 million steps), 73.0 % "
        "(BN-x5), 72.7 % (the rate before the change); six models with 144 crops: 4.9 % top-5 error",
        unknown=(
            "weight decay before the change: 0.0002 of GoogLeNet's replication in Caffe; a fifth is what TF-slim later had",
            "by how much distortions were reduced: halved",
            "the shards: 1,250 images each, about a thousand for ImageNet, in a random order when they are written",
            "epochs: 150, which are the 6 million steps of 32 images after which BN-x30 is best",
            "whether the weights were averaged: as for GoogLeNet, evenly over those of the last half of the run",
            "auxiliary heads: the paper mentions none, so there are none",
            "asynchronous updates, five at a time on ten machines: here one after the other",
        ),
        cost="1.2e18 multiply-adds on ImageNet, the backward pass counted as two forward ones",
        epochs=150,
        aux_weight=0.0,
        changes=Changes(),
    ),
    Changes().decided(),
)
