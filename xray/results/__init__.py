"""What a run leaves behind: predictions, metrics, figures, tables."""
