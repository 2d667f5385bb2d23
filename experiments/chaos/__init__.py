"""Faults at random moments of moves, on live traffic."""
