"""Who keeps which tensor where: one map for every family of checkpoints, driven by the declaration's names."""
