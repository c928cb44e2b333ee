"""Backbones, head, weights, metrics and the LightningModule."""
