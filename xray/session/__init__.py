"""Work on a finished run: its data, model and Trainer, and the passes over its images."""
