"""Writes, with Keras itself, one model in each of its formats, and its weights by layer.

python keras_make.py FOLDER
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import h5py
import keras
import numpy as np
from keras import layers
from keras.src.legacy.saving import legacy_h5_format


def main(folder: Path) -> None:
    warnings.simplefilter("ignore")
    # One layer more, so that the numbers in the names do not begin at 0.
    layers.Conv2D(1, 1)
    inner = [layers.Input((8, 8, 4)), layers.SeparableConv2D(5, 3), layers.BatchNormalization()]
    start = layers.Input((8, 8, 3))
    x = start
    for i in range(12):
        x = layers.Conv2D(4 if i == 11 else 3, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(scale=False)(x)
        x = layers.Dropout(0.1)(layers.Activation("relu")(x))
    x = keras.Sequential(inner, name="inner")(x)
    model = keras.Model(start, layers.Dense(3, name="predictions")(layers.GlobalAveragePooling2D()(x)))
    rng = np.random.RandomState(0)
    for variable in model.weights:
        if "seed" not in variable.path:
            variable.assign(rng.rand(*variable.shape).astype("f4"))
    model.compile("adam", "mse")
    model.save(folder / "whole.keras")
    model.save_weights(folder / "numbered.weights.h5")
    model.save(folder / "whole.h5")
    with h5py.File(folder / "listed.h5", "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, model)
    found = {}
    for layer in [*model.layers, *model.get_layer("inner").layers]:
        prefix = "inner/" if layer in model.get_layer("inner").layers else ""
        if layer.name != "inner":
            for variable in layer.weights:
                found[f"{prefix}{layer.name}/{variable.name}"] = variable.numpy()
    np.savez(folder / "weights.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
