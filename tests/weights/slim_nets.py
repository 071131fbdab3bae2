"""TF-slim's networks in plain TensorFlow, from their scopes and tables: run by itself, it writes a checkpoint and its answers.

    python slim_nets.py NETWORK PHOTOGRAPH FOLDER

writes FOLDER/model.ckpt.* (variables with the statistics of a trained network), FOLDER/frozen.pb (the same, frozen) and
FOLDER/answers.npz (`logits` of the photograph through slim's own preprocessing for evaluation).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
scope = v1.variable_scope
RANDOM = np.random.default_rng(3)


def variable(name, shape, kind):
    draw = {
        "weights": lambda: RANDOM.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:-1])),
        # small, so that probabilities are neither equal nor certain
        "logits": lambda: RANDOM.standard_normal(shape) * 0.1 * np.sqrt(2 / np.prod(shape[:-1])),
        "depthwise": lambda: RANDOM.standard_normal(shape) * np.sqrt(2 / np.prod(shape[:2])),
        "biases": lambda: RANDOM.uniform(-0.5, 0.5, shape),
        "beta": lambda: RANDOM.uniform(-0.5, 0.5, shape),
        "moving_mean": lambda: RANDOM.uniform(-1, 1, shape),
        "moving_variance": lambda: RANDOM.uniform(0.5, 3, shape),
    }[kind]
    return v1.get_variable(name, initializer=draw().astype(np.float32))


def conv(x, name, filters, kernel, stride=1, padding="SAME", linear=False):
    height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    with scope(name):
        x = tf.nn.conv2d(x, variable("weights", (height, width, x.shape[-1], filters), "weights"), stride, padding)
        if linear:
            return x + variable("biases", (filters,), "biases")
        with scope("BatchNorm"):
            beta, mean, var = (variable(kind, (filters,), kind) for kind in ("beta", "moving_mean", "moving_variance"))
        return tf.nn.relu(tf.nn.batch_normalization(x, mean, var, beta, None, 1e-3))


def pool(x, kind, kernel=3, stride=1, padding="SAME"):
    return getattr(tf.nn, f"{kind}_pool2d")(x, kernel, stride, padding)


def branches(x, name, *parts):
    """Each part: (prefix of the pool or None, [(layer, filters, kernel, stride, padding)]), or a function."""
    with scope(name):
        outs = []
        for i, part in enumerate(parts):
            with scope(f"Branch_{i}"):
                outs.append(part(x))
        return tf.concat(outs, 3)


def seq(*layers, before=None):
    def run(x):
        x = before(x) if before else x
        for layer in layers:
            x = layer(x) if callable(layer) else conv(x, *layer)
        return x

    return run


def fork(*layers):
    return lambda x: tf.concat([conv(x, *layer) for layer in layers], 3)


def maximum(x):
    return pool(x, "max")


def average(x):
    return pool(x, "avg")


def halved(x):
    return pool(x, "max", 3, 2, "VALID")


A0, B5, B3, C3 = "Conv2d_0a_1x1", "Conv2d_0b_5x5", "Conv2d_0b_3x3", "Conv2d_0c_3x3"


def logits(x, name, classes, dense):
    if dense:
        with scope(name):
            w = variable("weights", (int(np.prod(x.shape[1:])), classes), "logits")
            return tf.reshape(x, (1, -1)) @ w + variable("biases", (classes,), "biases")
    with scope(name):
        w = variable("weights", (1, 1, x.shape[-1], classes), "logits")
        return tf.reshape(tf.nn.conv2d(x, w, 1, "VALID") + variable("biases", (classes,), "biases"), (1, -1))


def mean(x):
    return tf.reduce_mean(x, (1, 2), keepdims=True)


def auxiliary(x, last, second="Conv2d_2a_5x5", dense=True, classes=1001):
    with scope("AuxLogits"):
        x = pool(x, "avg", 5, 3, "VALID")
        x = conv(x, "Conv2d_1b_1x1", 128, 1)
        x = conv(x, second, 768, 5, 1, "VALID")
        return logits(x, last, classes, dense)


def inception_v1(x):
    x = conv(x, "Conv2d_1a_7x7", 64, 7, 2)
    x = pool(x, "max", 3, 2)
    x = conv(conv(x, "Conv2d_2b_1x1", 64, 1), "Conv2d_2c_3x3", 192, 3)
    x = pool(x, "max", 3, 2)
    table = {
        "3b": (64, 96, 128, 16, 32, 32), "3c": (128, 128, 192, 32, 96, 64), "4b": (192, 96, 208, 16, 48, 64),
        "4c": (160, 112, 224, 24, 64, 64), "4d": (128, 128, 256, 24, 64, 64), "4e": (112, 144, 288, 32, 64, 64),
        "4f": (256, 160, 320, 32, 128, 128), "5b": (256, 160, 320, 32, 128, 128), "5c": (384, 192, 384, 48, 128, 128),
    }  # fmt: skip
    for name, (one, r3, n3, r5, n5, proj) in table.items():
        if name == "4b":
            x = pool(x, "max", 3, 2)
        if name == "5b":
            x = pool(x, "max", 2, 2)
        odd = "Conv2d_0a_3x3" if name == "5b" else B3
        x = branches(
            x, f"Mixed_{name}", seq((A0, one, 1)), seq((A0, r3, 1), (B3, n3, 3)), seq((A0, r5, 1), (odd, n5, 3)),
            seq(("Conv2d_0b_1x1", proj, 1), before=maximum),
        )  # fmt: skip
    with scope("Logits"):
        return logits(mean(x), "Conv2d_0c_1x1", 1001, False)


def inception_v2(x):
    with scope("Conv2d_1a_7x7"):
        depthwise = variable("depthwise_weights", (7, 7, 3, 8), "depthwise")
        pointwise = variable("pointwise_weights", (1, 1, 24, 64), "weights")
        x = tf.nn.separable_conv2d(x, depthwise, pointwise, (1, 2, 2, 1), "SAME")
        x = tf.nn.relu(x + variable("biases", (64,), "biases"))
    x = pool(x, "max", 3, 2)
    x = conv(conv(x, "Conv2d_2b_1x1", 64, 1), "Conv2d_2c_3x3", 192, 3)
    x = pool(x, "max", 3, 2)
    table = {
        "3b": (64, 64, 64, 64, 96, 32), "3c": (64, 64, 96, 64, 96, 64), "4a": (0, 128, 160, 64, 96, 0),
        "4b": (224, 64, 96, 96, 128, 128), "4c": (192, 96, 128, 96, 128, 128), "4d": (160, 128, 160, 128, 160, 96),
        "4e": (96, 128, 192, 160, 192, 96), "5a": (0, 128, 192, 192, 256, 0), "5b": (352, 192, 320, 160, 224, 128),
        "5c": (352, 192, 320, 192, 224, 128),
    }  # fmt: skip
    for name, (one, r3, n3, rd, nd, proj) in table.items():
        if not one:
            x = branches(
                x, f"Mixed_{name}", seq((A0, r3, 1), ("Conv2d_1a_3x3", n3, 3, 2)),
                seq((A0, rd, 1), (B3, nd, 3), ("Conv2d_1a_3x3", nd, 3, 2)), lambda x: pool(x, "max", 3, 2),
            )  # fmt: skip
            continue
        x = branches(
            x, f"Mixed_{name}", seq((A0, one, 1)), seq((A0, r3, 1), (B3, n3, 3)), seq((A0, rd, 1), (B3, nd, 3), (C3, nd, 3)),
            seq(("Conv2d_0b_1x1", proj, 1), before=maximum if name == "5c" else average),
        )  # fmt: skip
    with scope("Logits"):
        return logits(mean(x), "Conv2d_1c_1x1", 1001, False)


def stem(x):
    x = conv(x, "Conv2d_1a_3x3", 32, 3, 2, "VALID")
    x = conv(x, "Conv2d_2a_3x3", 32, 3, 1, "VALID")
    x = halved(conv(x, "Conv2d_2b_3x3", 64, 3))
    return conv(conv(x, "Conv2d_3b_1x1", 80, 1), "Conv2d_4a_3x3", 192, 3, 1, "VALID")


def inception_v3(x):
    x = halved(stem(x))
    proj = "Conv2d_0b_1x1"
    for name, filters in (("5b", 32), ("5c", 64), ("5d", 64)):
        five = (("Conv2d_0b_1x1", 48, 1), ("Conv_1_0c_5x5", 64, 5)) if name == "5c" else ((A0, 48, 1), (B5, 64, 5))
        x = branches(
            x, f"Mixed_{name}", seq((A0, 64, 1)), seq(*five), seq((A0, 64, 1), (B3, 96, 3), (C3, 96, 3)),
            seq((proj, filters, 1), before=average),
        )  # fmt: skip
    x = branches(
        x, "Mixed_6a", seq(("Conv2d_1a_1x1", 384, 3, 2, "VALID")),
        seq((A0, 64, 1), (B3, 96, 3), ("Conv2d_1a_1x1", 96, 3, 2, "VALID")), halved,
    )  # fmt: skip
    for name, c in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        x = branches(
            x, f"Mixed_{name}", seq((A0, 192, 1)),
            seq((A0, c, 1), ("Conv2d_0b_1x7", c, (1, 7)), ("Conv2d_0c_7x1", 192, (7, 1))),
            seq((A0, c, 1), ("Conv2d_0b_7x1", c, (7, 1)), ("Conv2d_0c_1x7", c, (1, 7)), ("Conv2d_0d_7x1", c, (7, 1)),
                ("Conv2d_0e_1x7", 192, (1, 7))),
            seq((proj, 192, 1), before=average),
        )  # fmt: skip
    auxiliary(x, "Conv2d_2b_1x1", dense=False)
    x = branches(
        x, "Mixed_7a", seq((A0, 192, 1), ("Conv2d_1a_3x3", 320, 3, 2, "VALID")),
        seq((A0, 192, 1), ("Conv2d_0b_1x7", 192, (1, 7)), ("Conv2d_0c_7x1", 192, (7, 1)),
            ("Conv2d_1a_3x3", 192, 3, 2, "VALID")),
        halved,
    )  # fmt: skip
    for name, second in (("7b", "Conv2d_0b_3x1"), ("7c", "Conv2d_0c_3x1")):
        x = branches(
            x, f"Mixed_{name}", seq((A0, 320, 1)),
            seq((A0, 384, 1), fork(("Conv2d_0b_1x3", 384, (1, 3)), (second, 384, (3, 1)))),
            seq((A0, 448, 1), (B3, 384, 3), fork(("Conv2d_0c_1x3", 384, (1, 3)), ("Conv2d_0d_3x1", 384, (3, 1)))),
            seq((proj, 192, 1), before=average),
        )  # fmt: skip
    with scope("Logits"):
        return logits(mean(x), "Conv2d_1c_1x1", 1001, False)


def inception_v4(x):
    proj, v = "Conv2d_0b_1x1", "VALID"
    x = conv(x, "Conv2d_1a_3x3", 32, 3, 2, v)
    x = conv(x, "Conv2d_2a_3x3", 32, 3, 1, v)
    x = conv(x, "Conv2d_2b_3x3", 64, 3)
    x = branches(x, "Mixed_3a", halved, seq(("Conv2d_0a_3x3", 96, 3, 2, v)))
    x = branches(
        x, "Mixed_4a", seq((A0, 64, 1), ("Conv2d_1a_3x3", 96, 3, 1, v)),
        seq((A0, 64, 1), ("Conv2d_0b_1x7", 64, (1, 7)), ("Conv2d_0c_7x1", 64, (7, 1)), ("Conv2d_1a_3x3", 96, 3, 1, v)),
    )  # fmt: skip
    x = branches(x, "Mixed_5a", seq(("Conv2d_1a_3x3", 192, 3, 2, v)), halved)
    for letter in "bcde":
        x = branches(
            x, f"Mixed_5{letter}", seq((A0, 96, 1)), seq((A0, 64, 1), (B3, 96, 3)), seq((A0, 64, 1), (B3, 96, 3), (C3, 96, 3)),
            seq((proj, 96, 1), before=average),
        )  # fmt: skip
    x = branches(
        x, "Mixed_6a", seq(("Conv2d_1a_3x3", 384, 3, 2, v)),
        seq((A0, 192, 1), (B3, 224, 3), ("Conv2d_1a_3x3", 256, 3, 2, v)), halved,
    )  # fmt: skip
    for letter in "bcdefgh":
        x = branches(
            x, f"Mixed_6{letter}", seq((A0, 384, 1)),
            seq((A0, 192, 1), ("Conv2d_0b_1x7", 224, (1, 7)), ("Conv2d_0c_7x1", 256, (7, 1))),
            seq((A0, 192, 1), ("Conv2d_0b_7x1", 192, (7, 1)), ("Conv2d_0c_1x7", 224, (1, 7)), ("Conv2d_0d_7x1", 224, (7, 1)),
                ("Conv2d_0e_1x7", 256, (1, 7))),
            seq((proj, 128, 1), before=average),
        )  # fmt: skip
    auxiliary(x, "Aux_logits", "Conv2d_2a")
    x = branches(
        x, "Mixed_7a", seq((A0, 192, 1), ("Conv2d_1a_3x3", 192, 3, 2, v)),
        seq((A0, 256, 1), ("Conv2d_0b_1x7", 256, (1, 7)), ("Conv2d_0c_7x1", 320, (7, 1)),
            ("Conv2d_1a_3x3", 320, 3, 2, v)), halved,
    )  # fmt: skip
    for letter in "bcd":
        x = branches(
            x, f"Mixed_7{letter}", seq((A0, 256, 1)),
            seq((A0, 384, 1), fork(("Conv2d_0b_1x3", 256, (1, 3)), ("Conv2d_0c_3x1", 256, (3, 1)))),
            seq((A0, 384, 1), ("Conv2d_0b_3x1", 448, (3, 1)), ("Conv2d_0c_1x3", 512, (1, 3)),
                fork(("Conv2d_0d_1x3", 256, (1, 3)), ("Conv2d_0e_3x1", 256, (3, 1)))),
            seq((proj, 256, 1), before=average),
        )  # fmt: skip
    with scope("Logits"):
        return logits(mean(x), "Logits", 1001, True)


def residual(x, name, scale, *parts, relu=True):
    with scope(name):
        outs = []
        for i, part in enumerate(parts):
            with scope(f"Branch_{i}"):
                outs.append(part(x))
        x = x + scale * conv(tf.concat(outs, 3), "Conv2d_1x1", x.shape[-1], 1, linear=True)
        return tf.nn.relu(x) if relu else x


def inception_resnet(x, second):
    """Version 2, or facenet's version 1."""
    one, v = "Conv2d_1x1", "VALID"
    x = stem(x)
    if second:
        x = branches(
            halved(x), "Mixed_5b", seq((one, 96, 1)), seq((A0, 48, 1), (B5, 64, 5)), seq((A0, 64, 1), (B3, 96, 3), (C3, 96, 3)),
            seq(("Conv2d_0b_1x1", 64, 1), before=average),
        )  # fmt: skip
    else:
        x = conv(x, "Conv2d_4b_3x3", 256, 3, 2, v)
    repeats, middle, end, r17 = ((10, 20, 9), 48, 64, (256, 256, 384)) if second else ((5, 10, 5), 32, 32, (192, 192, 256))
    for i in range(1, repeats[0] + 1):
        x = residual(
            x, f"Repeat/block35_{i}", 0.17, seq((one, 32, 1)), seq((A0, 32, 1), (B3, 32, 3)),
            seq((A0, 32, 1), (B3, middle, 3), (C3, end, 3)),
        )  # fmt: skip
    x = branches(
        x, "Mixed_6a", seq(("Conv2d_1a_3x3", 384, 3, 2, v)),
        seq((A0, r17[0], 1), (B3, r17[1], 3), ("Conv2d_1a_3x3", r17[2], 3, 2, v)), halved,
    )  # fmt: skip
    first, mid, last = (192, 160, 192) if second else (128, 128, 128)
    for i in range(1, repeats[1] + 1):
        x = residual(
            x, f"Repeat_1/block17_{i}", 0.10, seq((one, first, 1)),
            seq((A0, 128, 1), ("Conv2d_0b_1x7", mid, (1, 7)), ("Conv2d_0c_7x1", last, (7, 1))),
        )  # fmt: skip
    if second:
        auxiliary(x, "Logits")
    n = (384, 288, 288, 320) if second else (384, 256, 256, 256)
    x = branches(
        x, "Mixed_7a", seq((A0, 256, 1), ("Conv2d_1a_3x3", n[0], 3, 2, v)), seq((A0, 256, 1), ("Conv2d_1a_3x3", n[1], 3, 2, v)),
        seq((A0, 256, 1), (B3, n[2], 3), ("Conv2d_1a_3x3", n[3], 3, 2, v)), halved,
    )  # fmt: skip
    m, e = (224, 256) if second else (192, 192)
    for i in range(1, repeats[2] + 2):
        whole = i > repeats[2]
        x = residual(
            x, "Block8" if whole else f"Repeat_2/block8_{i}", 1.0 if whole else 0.20, seq((one, 192, 1)),
            seq((A0, 192, 1), ("Conv2d_0b_1x3", m, (1, 3)), ("Conv2d_0c_3x1", e, (3, 1))), relu=not whole,
        )  # fmt: skip
    if second:
        x = conv(x, "Conv2d_7b_1x1", 1536, 1)
        with scope("Logits"):
            return logits(mean(x), "Logits", 1001, True)
    with scope("Bottleneck"):
        x = tf.reshape(mean(x), (1, -1)) @ variable("weights", (1792, 512), "logits")
        with scope("BatchNorm"):
            beta, average_, var = (variable(kind, (512,), kind) for kind in ("beta", "moving_mean", "moving_variance"))
        return tf.nn.batch_normalization(x, average_, var, beta, None, 1e-3)


def network(name, x):
    if name == "facenet":
        with scope("InceptionResnetV1"):
            x = inception_resnet(x, False)
        return logits(x, "Logits", 8631, True)
    if name == "inception_resnet_v2":
        with scope("InceptionResnetV2"):
            return inception_resnet(x, True)
    with scope(f"InceptionV{name[-1]}"):
        return globals()[name](x)


def seen(name, image):
    """Slim's preprocessing for evaluation; facenet's for a face that is cut out."""
    if name == "facenet":
        from PIL import Image

        pixels = np.asarray(Image.fromarray(image).resize((160, 160), Image.Resampling.BILINEAR))
        return (tf.cast(tf.constant(pixels), tf.float32)[None] - 127.5) / 128
    side = 224 if name in ("inception_v1", "inception_v2") else 299
    x = tf.image.convert_image_dtype(tf.constant(image), tf.float32)
    x = tf.image.central_crop(x, 0.875)[None]
    x = v1.image.resize_bilinear(x, (side, side), align_corners=False)
    return (x - 0.5) * 2


def main(name, photograph, folder):
    from PIL import Image

    image = np.asarray(Image.open(photograph).convert("RGB"))
    with tf.Graph().as_default() as graph, v1.Session(config=v1.ConfigProto(intra_op_parallelism_threads=1)) as session:
        answer = tf.identity(network(name, seen(name, image)), "answer")
        v1.train.create_global_step()
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(Path(folder, "model.ckpt")), write_meta_graph=False)
        np.savez(Path(folder, "answers.npz"), logits=session.run(answer))
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["answer"])
        Path(folder, "frozen.pb").write_bytes(frozen.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
