"""Grad-CAM heatmaps, their overlays, and their evaluation."""
