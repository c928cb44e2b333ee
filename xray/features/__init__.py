"""Activations of the frozen part of a network, and decoded pixels, computed once."""
