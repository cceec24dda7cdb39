"""Jobs of minutes to hours: each item in a process of its own, off the path of micro-batches."""
