"""Finding the elephants among the active flows (paper §3.1)."""
