"""What every key of the configuration may be: pydantic models, and errors said in plain words.

The models are imported only when something is validated: `--help` must not wait for pydantic.
"""
