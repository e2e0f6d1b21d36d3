"""Whatever proposes: one port (evidence -> proposals), adapters beside it."""
