"""Features that models take instead of, or beside, token ids."""
