"""What is measured, a section a module; each can be run alone with ``--only``."""
