"""The HTTP API: submit, read, wait for and cancel jobs."""
