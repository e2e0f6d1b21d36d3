"""Reading and checking the YAML files: file, line, what is wrong, what to write."""
