"""Batches of uploaded files: each line asks an endpoint, and its answer goes to a file."""
