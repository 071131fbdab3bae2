"""What an update is made of: the loss over heads, the optimisers, the average of the weights."""
