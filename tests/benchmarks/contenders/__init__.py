"""The harness's hold on a system under test: fresh services, its worker, its clients."""
