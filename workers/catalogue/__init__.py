"""Which model serves which task, as TOML files."""
