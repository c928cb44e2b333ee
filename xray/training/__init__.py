"""Trainer, checkpoint I/O, and callbacks of our own."""
