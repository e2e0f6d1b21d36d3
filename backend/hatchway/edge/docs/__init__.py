"""What queries are answered with: structs, one file a query. Units as in `protocol`."""
