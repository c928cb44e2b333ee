"""Ratios against the loop that everyone writes, measured as whole processes."""
