"""Claim 4: what GoogLeNet costs, from its declaration."""

from __future__ import annotations

from inceptions.architecture import Options, cost, declare
from inceptions.architecture.nodes import Chain, Concat, Conv, Dense, GlobalPool, Node, Pool, Residual
from inceptions.claims.claim import Claim, Count, Panel
from inceptions.claims.references import alexnet, vgg_16

# What Table 1 prints for the first layer: less than a third of what its window takes on a map of that size.
PRINTED_FIRST_LAYER = 34e6


def depth(node: Node, *, pools: bool) -> int:
    """Layers on the longest way through a node: those with weights, and poolings if asked."""
    match node:
        case Chain(nodes=inner):
            return sum(depth(one, pools=pools) for one in inner)
        case Concat(branches=branches):
            return max(depth(one, pools=pools) for one in branches)
        case Residual(body=body):
            return depth(body, pools=pools)
        case Conv() | Dense():
            return 1
        case Pool() | GlobalPool():
            return int(pools)
        case _:
            return 0


def counts() -> tuple[Count, ...]:
    """GoogLeNet as the paper has it, beside AlexNet and VGG-16."""
    network = declare("googlenet", "paper", Options(aux=False))
    bill = cost(network)
    first = bill.nodes[0].macs
    whole = Chain("whole", (*network.trunk.nodes, *network.main.body.nodes))
    alex, vgg = cost(alexnet()), cost(vgg_16())
    return (
        Count(what="layers with weights", ours=depth(whole, pools=False), published=22),
        Count(what="layers with pooling", ours=depth(whole, pools=True), published=27),
        Count(
            what="multiply-adds, billions, the first layer as printed",
            ours=(bill.macs - first + PRINTED_FIRST_LAYER) / 1e9,
            published=1.5,
            digits=2,
        ),
        Count(
            what="multiply-adds, billions",
            ours=bill.macs / 1e9,
            published=1.5,
            digits=2,
            remark="the table prints 34 M for the first layer, whose 7×7 takes 118 M on 112×112",
        ),
        Count(what="parameters", ours=bill.params, published=6_998_552),
        Count(what="parameters of AlexNet", ours=alex.params, published=61_100_840),
        Count(what="parameters of VGG-16", ours=vgg.params, published=138_357_544),
        Count(what="multiply-adds of VGG-16, billions", ours=vgg.macs / 1e9, published=15.5, digits=3),
        Count(
            what="parameters of AlexNet / GoogLeNet",
            ours=alex.params / bill.params,
            published=12,
            digits=2,
            remark="the widths of Table 1 do not give 12 (the next paper divides 60 M by 5 M)",
        ),
        Count(
            what="parameters of AlexNet / GoogLeNet without its classifier",
            ours=alex.params / bill.params_trunk,
            published=12,
            digits=2,
            remark="the nearest to 12 that the declaration gives",
        ),
    )


CLAIM = Claim(
    number=4,
    id="cost-of-googlenet",
    title="GoogLeNet's cost",
    statement="GoogLeNet is 22 layers deep (27 with pooling), takes 1.5 billion multiply-adds, and has 12 times "
    "fewer parameters than AlexNet.",
    source="Szegedy et al. 2014, arXiv:1409.4842, abstract, sections 1 and 5, Table 1; for the 12 also "
    "arXiv:1512.00567, section 1",
    experiment="Counted from the declarations of GoogLeNet, AlexNet and VGG-16.",
    published="22 and 27 layers, 1.5 G multiply-adds, 12×",
    counts=counts,
    panels=(Panel(kind="counts"),),
    remark="Layers and multiply-adds are the paper's; the factor of 12 is not: 8.7, or 10.2 without GoogLeNet's classifier. "
    "The direction stands, the figure does not follow from Table 1.",
)
