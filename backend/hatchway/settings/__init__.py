"""Reading and checking the YAML files: file, line, what is wrong, what to write."""

from hatchway.settings.errors import ConfigError, Trouble
from hatchway.settings.load import (
    Settings,
    load_all,
    load_installation,
    load_pipeline,
    load_policy,
    shipped,
)

__all__ = [
    "ConfigError",
    "Settings",
    "Trouble",
    "load_all",
    "load_installation",
    "load_pipeline",
    "load_policy",
    "shipped",
]
