"""Uploaded files: where their content lies, and what may be said of them."""
