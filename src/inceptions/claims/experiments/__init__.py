"""One file for each claim: what is claimed, where, what is done here, and what it was found to depend on."""
