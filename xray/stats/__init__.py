"""Scores, their intervals, and tests between networks: pure functions on NumPy arrays."""
