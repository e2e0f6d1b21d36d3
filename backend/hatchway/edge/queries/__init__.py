"""Makes the answers to queries, one file a query. They read, and change nothing."""
