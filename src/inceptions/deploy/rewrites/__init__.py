"""Graphs that compute the same faster: one file a rewrite."""
