"""Redis as the carrier of thin messages: no text, no truth, nothing that cannot be lost."""
