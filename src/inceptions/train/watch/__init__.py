"""Looking on: pace, pictures, trackers, and what is said of a run that goes wrong or is over."""
