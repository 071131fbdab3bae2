"""Counts that other implementations publish or that were computed from them: `inceptions cost` must print them exactly."""

from __future__ import annotations

import json

import pytest

from inceptions.architecture import cost, declare, names
from inceptions.cli import execute

# A command line of `inceptions cost`, and what its JSON must say; multiply-adds in units of 1e9, rounded to four digits as
# their sources round them. Sources: torchvision 0.29 and timm 1.0 on meta tensors, Keras's documentation, and counts of
# TF-slim's, Cadene's, facenet-pytorch's and Caffe's models.
ORACLES: list[tuple[str, dict[str, float]]] = [
    # GoogLeNet of the paper and of Caffe, without and with heads.
    ("googlenet/paper", {"params": 6_998_552, "macs": 1.5827, "convolutions": 57, "batch_norms": 0}),
    ("googlenet/paper", {"params_with_heads": 13_378_280, "macs_with_heads": 1.5910, "convolutions_with_heads": 59}),
    # torchvision's googlenet, without and with heads.
    ("googlenet/bn", {"params": 6_624_904, "params_slim": 6_617_624, "params_keras": 6_632_184, "macs": 1.4984}),
    ("googlenet/bn", {"convolutions": 57, "batch_norms": 57, "convolutions_with_heads": 59, "batch_norms_with_heads": 59}),
    ("googlenet/bn", {"params_with_heads": 13_004_888, "macs_with_heads": 1.5067}),
    ("googlenet/bn --no-aux", {"params": 6_624_904, "params_with_heads": 6_624_904, "macs_with_heads": 1.4984}),
    # TF-slim's v1.
    (
        "googlenet/slim --classes 1001",
        {
            "params": 6_625_929,
            "params_slim": 6_618_649,
            "params_keras": 6_633_209,
            "macs": 1.4984,
            "params_with_heads": 6_625_929,
        },
    ),
    # "v1 5x5 + BN (hypothetical)".
    ("googlenet/bn_5x5", {"params": 7_005_832, "params_slim": 6_998_552, "macs": 1.5827}),
    # BN-Inception: Cadene's, the same without biases, lim0606's trunk.
    ("bn_inception/caffe", {"params": 11_295_240, "macs": 2.0326, "convolutions": 69, "batch_norms": 69}),
    ("bn_inception/caffe --aux", {"params": 11_295_240, "macs": 2.0326}),
    ("bn_inception/mxnet", {"params": 11_295_240, "convolutions": 69, "batch_norms": 69}),
    (
        "bn_inception/caffe_unbiased",
        {"params": 11_285_224, "params_slim": 11_275_208, "params_keras": 11_295_240, "macs": 2.0326},
    ),
    ("bn_inception/lim0606", {"params": 11_194_984, "params_slim": 11_185_032, "params_keras": 11_204_936, "macs": 2.0189}),
    # TF-slim's v2, "stem counted with BN": that network is the paper's.
    ("bn_inception/paper", {"params": 11_188_288, "params_slim": 11_178_336, "params_keras": 11_198_240, "macs": 1.9349}),
    ("bn_inception/paper", {"convolutions": 70}),
    (
        "bn_inception/paper --classes 1001",
        {"params": 11_189_313, "params_slim": 11_179_361, "params_keras": 11_199_265, "macs": 1.9349},
    ),
    # The checkpoint's stem has 64 biases where the rows above count batch norm: beta is the bias, and there is no gamma.
    ("bn_inception/slim", {"params": 11_188_288 - 64, "params_slim": 11_178_336, "macs": 1.9349, "convolutions": 70}),
    (
        "bn_inception/slim --classes 1001",
        {"params": 11_189_313 - 64, "params_slim": 11_179_361, "macs": 1.9349, "batch_norms": 68},
    ),
    # Inception-v3: torchvision's without and with the head, TF-slim's, and the graph of 2015 with its own number of classes.
    ("inception_v3", {"params": 23_834_568, "params_slim": 23_817_352, "params_keras": 23_851_784, "macs": 5.7132}),
    ("inception_v3", {"convolutions": 94, "batch_norms": 94, "convolutions_with_heads": 96, "batch_norms_with_heads": 96}),
    (
        "inception_v3",
        {
            "params_with_heads": 27_161_264,
            "params_slim_with_heads": 27_143_152,
            "params_keras_with_heads": 27_179_376,
            "macs_with_heads": 5.7189,
        },
    ),
    ("inception_v3/tensorflow --classes 1001", {"params_with_heads": 27_164_082, "params_slim_with_heads": 27_145_970}),
    ("inception_v3/fid", {"params": 23_850_960, "params_slim": 23_833_744, "macs": 5.7132, "params_with_heads": 23_850_960}),
    ("inception_v3/fid", {"classes": 1008, "convolutions": 94, "batch_norms": 94}),
    # Inception-v4.
    ("inception_v4", {"params": 42_679_816, "params_slim": 42_648_232, "params_keras": 42_711_400, "macs": 12.2540}),
    ("inception_v4", {"convolutions": 149, "batch_norms": 149, "convolutions_with_heads": 151, "batch_norms_with_heads": 151}),
    ("inception_v4 --classes 1001", {"params": 42_681_353}),
    ("inception_v4", {"params_with_heads": 46_039_280, "params_slim_with_heads": 46_006_800, "macs_with_heads": 12.2605}),
    ("inception_v4 --classes 1001", {"params_with_heads": 46_041_586, "params_slim_with_heads": 46_009_106}),
    ("inception_v4/paper", {"params": 42_679_816, "macs": 12.2540}),
    # Inception-ResNet-v1: the paper's; facenet's trunk with a plain classifier; its embedding; its classifier of faces.
    ("inception_resnet_v1/paper", {"params": 22_756_328, "params_slim": 22_742_808, "macs": 6.2064, "convolutions": 127}),
    (
        "inception_resnet_v1/facenet --until block8_6 --image-size 299",
        {"params": 24_357_096, "macs": 6.3086, "convolutions": 132},
    ),
    ("inception_resnet_v1/facenet", {"params_trunk": 23_482_624, "params_keras_trunk": 23_497_424, "macs_trunk": 1.4177}),
    ("inception_resnet_v1/facenet --image-size 299", {"macs_trunk": 6.3077}),
    # 111 batch norms after convolutions and the bottleneck's.
    ("inception_resnet_v1/facenet", {"convolutions": 132, "batch_norms": 111 + 1}),
    ("inception_resnet_v1/facenet --classes 8631", {"params": 27_910_327, "macs": 1.4221}),
    # Inception-ResNet-v2: released without and with the head, TF-slim's, and the paper's figures.
    ("inception_resnet_v2", {"params": 55_843_464, "params_slim": 55_813_192, "params_keras": 55_873_736, "macs": 13.1558}),
    ("inception_resnet_v2", {"convolutions": 244, "batch_norms": 204}),
    ("inception_resnet_v2 --classes 1001", {"params": 55_845_001}),
    (
        "inception_resnet_v2",
        {"params_with_heads": 59_211_120, "params_slim_with_heads": 59_179_952, "macs_with_heads": 13.1625},
    ),
    ("inception_resnet_v2", {"convolutions_with_heads": 246, "batch_norms_with_heads": 206}),
    ("inception_resnet_v2 --classes 1001", {"params_with_heads": 59_213_426, "params_slim_with_heads": 59_182_258}),
    ("inception_resnet_v2 --residual-scale 1", {"params": 55_843_464, "macs": 13.1558}),
    ("inception_resnet_v2/paper", {"params": 32_433_928, "macs": 9.2580, "convolutions": 132}),
]


@pytest.mark.parametrize(("words", "expected"), ORACLES, ids=lambda value: value if isinstance(value, str) else "")
def test_published_counts(words: str, expected: dict[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["cost", *words.split(), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    found = {key: round(document[key] / 1e9, 4) if key.startswith("macs") else document[key] for key in expected}
    assert found == expected


def test_receptive_fields() -> None:
    nodes = {node.name: node for node in cost(declare("inception_v3")).nodes}
    # 3x3/2, two 3x3, pool/2.
    assert nodes["pool_3a"].field == 3 + 2 * 2 + 2 * 2 + 2 * 2
    # 7x1, 1x7, 7x1, 1x7: two steps of 6 values in each direction, 16 pixels apart; in a row they would be four.
    assert nodes["mixed_6b"].field - nodes["mixed_6a"].field == 2 * 6 * 16


def test_every_network_has_an_oracle() -> None:
    assert {words.split()[0].split("/")[0] for words, _ in ORACLES} == set(names()) - {"plain_cnn", "inception_v2"}
