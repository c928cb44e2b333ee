"""Trainer, fitting, checkpoint files, loggers and callbacks."""
