"""A small decoder trained from raw text: corpus, tokenizer, shards, network, training."""
