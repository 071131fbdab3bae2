"""A run on the disk: its folder, its checkpoints, and what may be resumed."""
