"""Services that run on this machine when none is configured."""
