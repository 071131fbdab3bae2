"""`make bench`: each measurement in turn, as a table; `python -m benchmarks NAME…` for some of them."""

from __future__ import annotations

import sys

from benchmarks import crops, folder, forward, loop, pixels, start, step, training

BENCHMARKS = {
    "forward": forward.measure,
    "step": step.measure,
    "training": training.measure,
    "loop": loop.measure,
    "pixels": pixels.measure,
    "jpegs": pixels.measure_jpegs,
    "crops": crops.measure,
    "folder": folder.measure,
    "start": start.measure,
}


def main() -> int:
    """Run the named benchmarks, or all."""
    wanted = sys.argv[1:] or list(BENCHMARKS)
    if unknown := [name for name in wanted if name not in BENCHMARKS]:
        print(f"No benchmark {unknown[0]!r}. There are: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    for name in wanted:
        measured = BENCHMARKS[name]()
        measured.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
