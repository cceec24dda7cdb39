"""Routes that stock OpenAI clients call: ordinary jobs behind them, and an answer at once."""
