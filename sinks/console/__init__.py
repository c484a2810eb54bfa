"""The web page for people: named queries as charts and tables, read-only, no foreign host."""
