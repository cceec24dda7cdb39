"""Sentences, words and parts of speech: rules for the first two, a linear model for the last."""
