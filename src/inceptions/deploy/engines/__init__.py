"""What can run a graph: one file an engine, each made by a function of the same form (`inceptions.deploy.engines.engine`)."""
