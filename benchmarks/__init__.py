"""Measurements, never tests: every figure is a ratio, measured in turn with its peer in one run."""
