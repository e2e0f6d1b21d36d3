"""Mission control for AI agents that run a CI/CD pipeline."""

__version__ = "0.1.0"
