"""Backbone, head, weights, metrics and the LightningModule."""
