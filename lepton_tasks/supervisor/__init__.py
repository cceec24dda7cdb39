"""Run the model workers of one machine: one process a device slot, kept up, without torch."""
