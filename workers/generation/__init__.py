"""Text generation by decoder models: requests join and leave the running batch at every step."""
