"""SQL truth: jobs, workers, batches, webhook deliveries, keys."""
