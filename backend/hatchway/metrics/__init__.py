"""Where looks come from: one port, adapters beside it."""
