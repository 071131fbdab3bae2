"""Before a run: what it will take, which rate suits it, how much of a batch fits."""
