"""The small separate process that alone may change a target. Standard library only."""
