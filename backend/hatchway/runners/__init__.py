"""Running a stage's commands: one port, adapters beside it."""
