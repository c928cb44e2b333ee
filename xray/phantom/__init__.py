"""Phantoms: procedurally drawn chest radiographs."""
