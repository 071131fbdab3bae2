"""Starting from a trained network: its features, the classifier on them, and the layers that learn after it."""
