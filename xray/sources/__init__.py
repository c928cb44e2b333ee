"""Public datasets and your own images, prepared as a folder of classes."""
