"""Reading: landed files as relations of text in DuckDB, every row of them, and their lines counted by other means."""
