"""Checkpoints of the papers' authors and of those who kept their graphs: the graph of 2015, Keras, TF-slim; and Caffe's."""

from __future__ import annotations

from inceptions.weights.checksum import Checksum
from inceptions.weights.published.checkpoint import Published
from inceptions.weights.published.inputs import caffe, slim, whole

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"
SLIM = "http://download.tensorflow.org/models"
V4, RESNET_V2 = "inception_v4/released", "inception_resnet_v2/released"

GRAPH_2015 = (
    Published(
        tag="pytorch_fid",
        network="inception_v3/fid",
        outputs=1008,
        classes="the 2015 graph's own",
        preprocess=whole(299, 0.5, 0.5, "centres"),
        size=95_628_359,
        checksum=Checksum("sha256", "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"),
        address="https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        file="pt_inception-2015-12-05-6726825d.pth",
    ),
    Published(
        tag="tensorflow_2015",
        network="inception_v3/fid",
        outputs=1008,
        classes="the 2015 graph's own",
        preprocess=whole(299, 128 / 255, 128 / 255, "corners"),
        remark="A frozen graph, batch norm folded in.",
        size=88_931_400,
        address="http://download.tensorflow.org/models/image/imagenet/inception-2015-12-05.tgz",
        file="inception-2015-12-05.tgz",
        member="classify_image_graph_def.pb",
    ),
)


def _keras(
    tag: str, network: str, folder: str, file: str, digest: str, *, size: int | None, score: tuple[float, float] | None = None
) -> Published:
    return Published(
        tag=tag,
        network=network,
        outputs=0 if file.endswith("_notop.h5") else 1000,
        classes="none" if file.endswith("_notop.h5") else "ImageNet",
        preprocess=whole(299, 0.5, 0.5),
        remark="Keras does not say how it resized for its score.",
        top1=None if score is None else score[0],
        top5=None if score is None else score[1],
        scored_by=None if score is None else "Keras",
        licence="apache-2.0" if network.startswith("inception_v3") else None,
        size=size,
        checksum=Checksum("md5", digest),
        address=f"{KERAS}/{folder}/{file}",
        file=file,
    )


K3, KR = "inception_v3_weights_tf_dim_ordering_tf_kernels", "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels"
KERASES = (
    _keras(
        "keras_in1k",
        "inception_v3/tensorflow",
        "inception_v3",
        f"{K3}.h5",
        "9a0d58056eeedaa3f26cb7ebd46da564",
        size=96_112_376,
        score=(77.9, 93.7),
    ),
    _keras(
        "keras_in1k_notop",
        "inception_v3/tensorflow",
        "inception_v3",
        f"{K3}_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
        size=87_910_968,
    ),
    _keras(
        "keras_in1k",
        RESNET_V2,
        "inception_resnet_v2",
        f"{KR}.h5",
        "e693bd0210a403b3192acc6073ad2e96",
        size=None,
        score=(80.3, 95.3),
    ),
    _keras(
        "keras_in1k_notop",
        RESNET_V2,
        "inception_resnet_v2",
        f"{KR}_notop.h5",
        "d19885ff4a710c122648d3b5c3b684e4",
        size=219_055_592,
    ),
)


def _slim(
    network: str,
    archive: str,
    member: str,
    side: int,
    top1: float,
    top5: float,
    *,
    size: int | None = None,
    checksum: Checksum | None = None,
) -> Published:
    return Published(
        tag="slim_in1k",
        network=network,
        outputs=1001,
        classes="ImageNet, background first",
        preprocess=slim(side),
        top1=top1,
        top5=top5,
        scored_by="TF-slim",
        size=size,
        checksum=checksum,
        address=f"{SLIM}/{archive}",
        file=archive,
        member=member,
    )


V2_DIGEST = "c0b2efbae8fc5e237ae67637dca3f311d4b4f7da576b56067e83d95c398a2fccd50baff9cc0de64335f4d7b78e1adb07"
SLIMS = (
    _slim(
        "googlenet/slim",
        "inception_v1_2016_08_28.tar.gz",
        "inception_v1.ckpt",
        224,
        69.8,
        89.6,
        size=24_642_554,
        checksum=Checksum("sha256", "7a620c430fcaba8f8f716241f5148c4c47c035cce4e49ef02cfbe6cd1adf96a6"),
    ),
    _slim(
        "bn_inception/slim",
        "inception_v2_2016_08_28.tar.gz",
        "inception_v2.ckpt",
        224,
        73.9,
        91.8,
        size=41_577_079,
        checksum=Checksum("sha384", V2_DIGEST),
    ),
    _slim("inception_v3/tensorflow", "inception_v3_2016_08_28.tar.gz", "inception_v3.ckpt", 299, 78.0, 93.9),
    _slim(V4, "inception_v4_2016_09_09.tar.gz", "inception_v4.ckpt", 299, 80.2, 95.2),
    _slim(
        RESNET_V2,
        "inception_resnet_v2_2016_08_30.tar.gz",
        "inception_resnet_v2_2016_08_30.ckpt",
        299,
        80.4,
        95.3,
        checksum=Checksum("md5", "9e0f18e1259acf943e30690460d96123"),
    ),
)

CAFFE = (
    Published(
        tag="bvlc_in1k",
        network="googlenet/paper",
        outputs=1000,
        classes="ImageNet",
        preprocess=caffe(),
        top1=68.7,
        top5=88.9,
        scored_by="BVLC",
        licence="unrestricted",
        size=53_533_754,
        checksum=Checksum("sha1", "405fc5acd08a3bb12de8ee5e23a96bec22f08204"),
        address="http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel",
        file="bvlc_googlenet.caffemodel",
    ),
    Published(
        tag="lim0606_in1k",
        network="bn_inception/lim0606",
        outputs=1000,
        classes="ImageNet",
        preprocess=caffe(),
        remark="Its mean image is not published; Caffe's mean colour stands for it.",
        top1=72.05,
        top5=90.87,
        scored_by="lim0606",
        licence="unrestricted",
        address="https://github.com/lim0606/caffe-googlenet-bn/raw/master/snapshots/"
        "googlenet_bn_stepsize_6400_iter_1200000.caffemodel",
        file="googlenet_bn_stepsize_6400_iter_1200000.caffemodel",
    ),
)
