"""The comments that the demo moderates, and the program that makes them."""
