"""The demo, and later the evaluation."""
