"""Editing: rules of spacing and punctuation, and typos found by small language models."""
