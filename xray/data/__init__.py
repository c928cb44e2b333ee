"""Datasets: folders, splits, transforms and the LightningDataModule."""
