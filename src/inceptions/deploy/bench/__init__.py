"""Ours against what people run otherwise: the same weights and images, in turn, with the answers compared."""
