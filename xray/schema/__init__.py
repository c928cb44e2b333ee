"""Pydantic models of the configuration, and readable messages for their errors.

The models are imported when a configuration is validated, because `--help` must not import
pydantic.
"""
