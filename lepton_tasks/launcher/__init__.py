"""Start, watch and stop the processes of a whole system on one machine."""
