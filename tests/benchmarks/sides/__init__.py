"""One system a module, as it runs in child processes: its worker's app and its client.

All but ``ours`` run in the peers' environment and import nothing of the project but the
benchmark's texts and model. What they need to know comes in ``BENCH_*`` variables.
"""
