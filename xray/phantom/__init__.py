"""Procedurally drawn chest radiographs."""
