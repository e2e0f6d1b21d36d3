"""Where people and programs reach the backend: websockets, authentication, views, /metrics."""
