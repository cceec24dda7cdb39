"""Models on another server: texts are written by whatever speaks OpenAI's API."""
