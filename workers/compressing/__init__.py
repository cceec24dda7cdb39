"""Classifiers in fewer bits, as a long run."""
