"""Ten steps of the papers' own optimisers, averages, schedules and losses, as TensorFlow computes them."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from inceptions.recipe import Optim, Schedule
from inceptions.train.optim.average import warmed_up
from inceptions.train.optim.loss import objective
from inceptions.train.optim.optimiser import build, set_rate

STEPS = 10
DECAY = 0.01

# In a process of its own: TensorFlow and torch do not share one gladly.
SCRIPT = f"""
import json, sys
import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
random = np.random.default_rng(0)
begin = random.normal(size=(3, 4)).astype(np.float32)
gradients = (random.normal(size=({STEPS}, 3, 4)) * 10.0 ** random.uniform(-3, 1, size=({STEPS}, 1, 1))).astype(np.float32)
rates = [0.045 * 0.94 ** (step // 2) for step in range({STEPS})]
plain = lambda value: np.asarray(value, dtype=np.float64).tolist()
said = {{"begin": plain(begin), "gradients": plain(gradients), "rates": rates}}

kinds = {{
    "rmsprop_tf": lambda rate: v1.train.RMSPropOptimizer(rate, decay=0.9, momentum=0.9, epsilon=1.0),
    "rmsprop_tf without momentum": lambda rate: v1.train.RMSPropOptimizer(rate, decay=0.9, momentum=0.0, epsilon=1.0),
    "adagrad": lambda rate: v1.train.AdagradOptimizer(rate),
}}
for name, make in kinds.items():
    variable, now, trajectory = tf.Variable(begin), [0.0], []
    optimiser = make(lambda: now[0])
    for rate, gradient in zip(rates, gradients):
        now[0] = rate
        optimiser.apply_gradients([(tf.constant(gradient + np.float32({DECAY}) * variable.numpy()), variable)])
        trajectory.append(plain(variable))
    said[name] = trajectory

said["clipped"] = plain(tf.clip_by_global_norm([tf.constant(gradients[0]), tf.constant(gradients[1])], 2.0)[0][0])
said["unclipped"] = plain(tf.clip_by_global_norm([tf.constant(gradients[0] * 1e-3)], 2.0)[0][0])

value, average = tf.Variable(begin), []
for step in range({STEPS}):
    value.assign(gradients[step])
    if step == 0:
        mean = tf.train.ExponentialMovingAverage(0.5, num_updates=tf.Variable(0, dtype=tf.float32))
        mean.apply([value])
    mean._num_updates.assign(step)
    mean.apply([value])
    average.append(plain(mean.average(value)))
said["average"] = average

logits, labels = random.normal(size=(8, 5)).astype(np.float32), random.integers(0, 5, 8)
said["logits"], said["labels"] = plain(logits), labels.tolist()
said["smoothed"] = float(v1.losses.softmax_cross_entropy(np.eye(5)[labels], logits, label_smoothing=0.1))

steps = [0, 1, 19, 20, 39, 40, 41, 399, 400, 999]
said["steps"] = steps
said["stairs"] = [float(v1.train.exponential_decay(0.045, step, 20, 0.94, staircase=True)()) for step in steps]
said["poly"] = [float(v1.train.polynomial_decay(0.01, step, 1000, end_learning_rate=0.0, power=0.5)()) for step in steps]
json.dump(said, sys.stdout)
"""


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed on this machine")
    # Other tests ask Keras to use torch; TensorFlow imports Keras, and with torch in one process they both abort.
    own = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "", "TF_ENABLE_ONEDNN_OPTS": "0"}
    quiet = {**os.environ, **own, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300, env=quiet)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def close(found: torch.Tensor, expected: Any, *, ulps: float = 4) -> bool:
    wanted = torch.tensor(expected, dtype=torch.float64)
    return torch.allclose(found.double(), wanted, rtol=ulps * 2**-23, atol=ulps * 2**-23)


OPTIMS = {
    "rmsprop_tf": Optim(kind="rmsprop_tf", lr=1.0, alpha=0.9, momentum=0.9, eps=1.0, weight_decay=DECAY),
    "rmsprop_tf without momentum": Optim(kind="rmsprop_tf", lr=1.0, alpha=0.9, eps=1.0, weight_decay=DECAY),
    "adagrad": Optim(kind="adagrad", lr=1.0, eps=1e-10, weight_decay=DECAY),
}


@pytest.mark.parametrize("name", OPTIMS)
def test_ten_steps_with_a_falling_rate(said, name) -> None:
    parameter = nn.Parameter(torch.tensor(said["begin"]))
    optimiser = build(nn.ParameterList([parameter]), OPTIMS[name])
    for rate, gradient, expected in zip(said["rates"], said["gradients"], said[name], strict=True):
        set_rate(optimiser, rate)
        parameter.grad = torch.tensor(gradient)
        optimiser.step()
        assert close(parameter.detach(), expected)
    moved = (parameter.detach() - torch.tensor(said["begin"])).abs()
    assert moved.min() > 1e-3


def test_torchs_own_rmsprop_is_another_method(said) -> None:
    """Or the class of our own would not be needed."""
    parameter = nn.Parameter(torch.tensor(said["begin"]))
    optimiser = build(nn.ParameterList([parameter]), Optim(kind="rmsprop", lr=1.0, alpha=0.9, momentum=0.9, eps=1.0))
    for rate, gradient in zip(said["rates"], said["gradients"], strict=True):
        set_rate(optimiser, rate)
        parameter.grad = torch.tensor(gradient)
        optimiser.step()
    assert not torch.allclose(parameter.detach(), torch.tensor(said["rmsprop_tf"][-1]), rtol=1e-2)


def test_clipping_by_the_norm_of_all_gradients(said) -> None:
    """torch divides by the norm plus 1e-6: at a norm above 2 that is less than half a millionth."""
    parameters = [nn.Parameter(torch.zeros(3, 4)) for _ in range(2)]
    for parameter, gradient in zip(parameters, said["gradients"], strict=False):
        parameter.grad = torch.tensor(gradient)
    norm = nn.utils.clip_grad_norm_(parameters, 2.0)
    assert norm > 2
    assert close(parameters[0].grad, said["clipped"], ulps=8)
    parameters[0].grad = torch.tensor(said["gradients"][0]) * 1e-3
    nn.utils.clip_grad_norm_(parameters[:1], 2.0)
    assert close(parameters[0].grad, said["unclipped"])


def test_the_average_with_its_ramp(said) -> None:
    average = torch.tensor(said["gradients"][0])
    for step, (value, expected) in enumerate(zip(said["gradients"], said["average"], strict=True)):
        average = torch.lerp(average, torch.tensor(value), 1 - warmed_up(0.5, step))
        assert close(average, expected, ulps=32)


def test_label_smoothing(said) -> None:
    logits, labels = torch.tensor(said["logits"]), torch.tensor(said["labels"])
    loss = objective({"main": logits}, labels, aux_weight=0.4, label_smoothing=0.1)
    assert float(loss) == pytest.approx(said["smoothed"], rel=1e-6)


@pytest.mark.parametrize(
    ("name", "rate", "schedule"),
    [
        ("stairs", 0.045, Schedule(kind="exponential", decay=0.94, every=2)),
        ("poly", 0.01, Schedule(kind="poly", power=0.5)),
    ],
)
def test_schedules(said, name, rate, schedule) -> None:
    found = [rate * schedule.factor(step, steps_per_epoch=10, epochs=100) for step in said["steps"]]
    # TensorFlow subtracts the share done from 1 in single precision.
    assert found == pytest.approx(said[name], rel=1e-5)
