"""The errors a user meets: exit codes as documented, names that help."""

from __future__ import annotations

import pytest

from inceptions import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError, 2),
        (errors.DataError, 3),
        (errors.WeightsError, 4),
        (errors.MachineError, 5),
        (errors.DivergedError, 6),
        (errors.Interrupted, 75),
    ],
)
def test_exit_codes(error: type[errors.InceptionsError], code: int) -> None:
    assert error.exit_code == code
    assert issubclass(error, ValueError)


def test_unknown_names_the_known_and_the_near() -> None:
    error = errors.unknown("model", "GoogleNet", ["googlenet", "plain_cnn"])
    assert str(error) == "Unknown model 'GoogleNet'. Did you mean 'googlenet'? Known: googlenet, plain_cnn."


def test_unknown_does_not_guess_wildly() -> None:
    assert "Did you mean" not in str(errors.unknown("model", "resnet50", ["googlenet", "plain_cnn"]))
