"""Tells people outside what they should know: one port, adapters beside it."""
