"""The operator's dashboard: mirrors state, paints it, sends commands."""
