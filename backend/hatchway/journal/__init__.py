"""The append-only, hash-chained log: one port, adapters beside it."""
