"""Checkpoints published for PyTorch: torchvision, timm, Cadene, facenet-pytorch."""

from __future__ import annotations

from inceptions.weights.checksum import Checksum
from inceptions.weights.preprocess import IMAGENET_MEAN, IMAGENET_STD
from inceptions.weights.published.checkpoint import Published
from inceptions.weights.published.inputs import HALF, cadene, centre, whole

FACES = "Feed it faces that are found and cut out already (MTCNN)."
PYTORCH = "https://download.pytorch.org/models"
CADENE = "http://data.lip6.fr/cadene/pretrainedmodels"
FACENET = "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9"

TORCHVISION = (
    Published(
        tag="torchvision_in1k",
        network="googlenet/bn",
        outputs=1000,
        classes="ImageNet",
        preprocess=centre(224, 256),
        remark="Ported from TF-slim's inception_v1; its two auxiliary heads are untrained.",
        top1=69.778,
        top5=89.530,
        scored_by="torchvision",
        checksum=Checksum("sha256", "1378be20"),
        address=f"{PYTORCH}/googlenet-1378be20.pth",
        file="googlenet-1378be20.pth",
    ),
    Published(
        tag="torchvision_in1k",
        network="inception_v3/torchvision",
        outputs=1000,
        classes="ImageNet",
        preprocess=centre(299, 342),
        remark="Ported from TensorFlow, whose average pools leave padding out; torchvision's count it.",
        top1=77.294,
        top5=93.450,
        scored_by="torchvision",
        size=108_949_747,
        checksum=Checksum("sha256", "0cc3c7bd75056d25e46cba549dc184522069b81e9787eff6df84f397bd52a5ef"),
        address=f"{PYTORCH}/inception_v3_google-0cc3c7bd.pth",
        file="inception_v3_google-0cc3c7bd.pth",
    ),
)


def _timm(
    tag: str, network: str, repository: str, shorter: int, top1: float, top5: float, *, imagenet: bool = False
) -> Published:
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if imagenet else (HALF, HALF)
    return Published(
        tag=tag,
        network=network,
        outputs=1000,
        classes="ImageNet",
        preprocess=centre(299, shorter, "bicubic", mean, std),
        top1=top1,
        top5=top5,
        scored_by="timm",
        licence="apache-2.0",
        address=f"hf:timm/{repository}",
        file="model.safetensors",
    )


V3, V4, RESNET_V2 = "inception_v3/torchvision", "inception_v4/released", "inception_resnet_v2/released"
TIMM = (
    _timm("timm_tv_in1k", V3, "inception_v3.tv_in1k", 341, 77.472, 93.468),
    _timm("timm_tf_in1k", V3, "inception_v3.tf_in1k", 341, 77.866, 93.644),
    _timm("timm_tf_adv_in1k", V3, "inception_v3.tf_adv_in1k", 341, 77.598, 93.726),
    _timm("timm_gluon_in1k", V3, "inception_v3.gluon_in1k", 341, 78.806, 94.372, imagenet=True),
    _timm("timm_tf_in1k", V4, "inception_v4.tf_in1k", 341, 80.144, 94.982),
    _timm("timm_tf_in1k", RESNET_V2, "inception_resnet_v2.tf_in1k", 333, 80.434, 95.312),
    _timm("timm_tf_ens_adv_in1k", RESNET_V2, "inception_resnet_v2.tf_ens_adv_in1k", 333, 79.998, 94.940),
)


def _cadene(network: str, file: str, checksum: Checksum, top1: float, top5: float) -> Published:
    return Published(
        tag="cadene_in1k",
        network=network,
        outputs=1001,
        classes="ImageNet, background first",
        preprocess=centre(299, 341),
        remark="Ported from TF-slim.",
        top1=top1,
        top5=top5,
        scored_by="Cadene",
        checksum=checksum,
        address=f"{CADENE}/{file}",
        file=file,
    )


CADENES = (
    Published(
        tag="cadene_in1k",
        network="bn_inception/caffe",
        outputs=1000,
        classes="ImageNet",
        preprocess=cadene(),
        remark="Trained by Y. Xiong in Caffe.",
        top1=73.524,
        top5=91.562,
        scored_by="Cadene",
        checksum=Checksum("sha256", "52deb473314542a5c2f87e9e6f26f4ca42fe863d15f986414dbae8c2dfdd2353"),
        address=f"{CADENE}/bn_inception-52deb4733.pth",
        file="bn_inception-52deb4733.pth",
    ),
    _cadene(V4, "inceptionv4-8e4777a0.pth", Checksum("sha256", "8e4777a0"), 80.062, 94.926),
    _cadene(RESNET_V2, "inceptionresnetv2-520b38e4.pth", Checksum("sha256", "520b38e4"), 80.170, 95.234),
)

FACENETS = (
    Published(
        tag="facenet_vggface2",
        network="inception_resnet_v1/facenet",
        outputs=8631,
        classes="VGGFace2",
        preprocess=whole(160, 127.5 / 255, 128 / 255),
        remark=f"0.9965 on Labeled Faces in the Wild. {FACES}",
        size=111_898_327,
        checksum=Checksum("sha256", "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b"),
        address=f"{FACENET}/20180402-114759-vggface2.pt",
        file="20180402-114759-vggface2.pt",
    ),
    Published(
        tag="facenet_casia_webface",
        network="inception_resnet_v1/facenet",
        outputs=10575,
        classes="CASIA-WebFace",
        preprocess=whole(160, 127.5 / 255, 128 / 255),
        remark=f"0.9905 on Labeled Faces in the Wild. {FACES}",
        address=f"{FACENET}/20180408-102900-casia-webface.pt",
        file="20180408-102900-casia-webface.pt",
    ),
)
