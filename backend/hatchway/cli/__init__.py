"""The `hatchway` command: thin, one file a verb group, lazy imports."""
