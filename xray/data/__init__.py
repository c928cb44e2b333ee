"""Folders of images, their splits, transforms and the LightningDataModule."""
