"""Caches of frozen activations and decoded images."""
