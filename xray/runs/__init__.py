"""Run directories: layout, reading, writing."""
