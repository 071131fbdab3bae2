"""Writes, with TensorFlow itself, the files beside this script: a variable of each kind, as both savers save them, and a graph.

python make.py FOLDER
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
tf1.disable_eager_execution()


def main(folder: Path) -> None:
    rng = np.random.RandomState(0)
    with tf1.Graph().as_default(), tf1.Session() as session:
        image = tf1.placeholder(tf.float32, [None, 8, 8, 3], name="input")
        with tf1.variable_scope("InceptionV1/Conv2d_1a_7x7"):
            weights = tf1.get_variable("weights", initializer=rng.randn(3, 3, 3, 4).astype("f4"))
            biases = tf1.get_variable("biases", initializer=np.zeros(4, "f4"))
        tf1.get_variable("half", initializer=rng.randn(5).astype("f2"))
        tf1.get_variable("global_step", initializer=np.int64(7))
        cut = tf1.get_variable("cut", [6, 4], partitioner=tf1.fixed_size_partitioner(3))
        strides = tf.nn.conv2d(image, weights, [1, 2, 2, 1], "SAME", name="conv")
        tf.nn.max_pool2d(tf.nn.relu(tf.nn.bias_add(strides, biases)), 3, 2, "VALID", name="out")
        session.run(tf1.global_variables_initializer())
        for i, part in enumerate(cut):
            part.load(np.arange(24, dtype="f4").reshape(6, 4)[2 * i : 2 * i + 2], session)
        tf1.train.Saver().save(session, str(folder / "v2.ckpt"), write_meta_graph=False)
        old = tf1.train.SaverDef.V1
        tf1.train.Saver(write_version=old).save(session, str(folder / "v1.ckpt"), write_meta_graph=False)
        frozen = tf1.graph_util.convert_variables_to_constants(session, session.graph_def, ["out"])
        (folder / "frozen.pb").write_bytes(frozen.SerializeToString(deterministic=True))
        (folder / "checkpoint").unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
