"""Classifiers of a user's own, trained from labelled rows as a long run."""
