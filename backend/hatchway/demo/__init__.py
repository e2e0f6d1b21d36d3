"""The shop: a real two-version service, a traffic splitter, a load generator, injectable faults."""
