"""Files of many lines: read, cut into shards, run as one batch, written in input order."""
