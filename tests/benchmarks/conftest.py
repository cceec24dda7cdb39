"""The peers' sides import libraries that only the peers' environment has."""

collect_ignore_glob = ["sides/*", "client.py"]
