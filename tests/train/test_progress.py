"""Progress on a terminal, in a log, and nowhere."""

from __future__ import annotations

import io

import pytest

from inceptions.train import progress
from inceptions.train.progress import Bars, Lines, Quiet, Silent, clock, reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_stream_decides() -> None:
    assert isinstance(reporter(stream=Terminal()), Bars)
    assert isinstance(reporter(stream=io.StringIO()), Lines)
    assert isinstance(reporter(stream=Terminal(), quiet=True), Quiet)


def test_warnings_are_heard_when_quiet() -> None:
    stream = io.StringIO()
    with reporter(stream=stream, quiet=True) as quiet:
        quiet.say("x")
        quiet.show("x", 1, 2)
        quiet.warn("1 image cannot be read")
    assert stream.getvalue() == "1 image cannot be read\n"


def test_lines_say_everything_and_show_now_and_then(monkeypatch) -> None:
    now = iter([0.0, 10.0, 31.0, 40.0, 41.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    stream = io.StringIO()
    with reporter(stream=stream) as lines:
        for done in range(4):
            lines.show("epoch 1/2", done, 9, "loss 0.5")
        lines.show("epoch 2/2", 0, 9)
        lines.warn("over")
    assert stream.getvalue() == "epoch 1/2: 2/9  loss 0.5\nover\n"


def test_bars_show_figures_and_print_lines_as_they_are(monkeypatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    with reporter(stream=stream) as bars:
        bars.show("epoch 1/2", 3, 9, "loss 0.5")
        bars.say("[bold]file[0].jpg")
        bars.show("epoch 1/2", 4, 9, "loss 0.4")
    shown = stream.getvalue()
    assert "epoch 1/2" in shown
    assert "loss 0.4" in shown
    assert "[bold]file[0].jpg" in shown


def test_silence(capsys) -> None:
    with Silent() as silent:
        silent.say("x")
        silent.show("x", 1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (723, "12:03"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_the_clock(seconds, text) -> None:
    assert clock(seconds) == text
