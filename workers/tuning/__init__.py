"""How many threads and padded tokens suit this machine: measured at warm-up, kept in a file."""
