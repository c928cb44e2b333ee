"""Integrity of a dataset: duplicates, shared patients, unreadable files, shortcuts to the label."""
