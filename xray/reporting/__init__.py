"""Reports, tables and figures of a run."""
