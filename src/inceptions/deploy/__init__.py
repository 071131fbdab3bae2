"""Speed and delivery: a trained network as a graph, rewritten, run by the engine that suits the machine, and exported."""
