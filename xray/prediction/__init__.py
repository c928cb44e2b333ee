"""Predictions for labeled and unlabeled images, in memory and as a table."""
