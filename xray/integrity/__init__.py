"""Whether a dataset can carry a result: duplicates, overlaps, bad files, labels that leak."""
