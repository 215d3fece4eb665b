"""One folder with all that an assessment needs, for a machine without a network."""
