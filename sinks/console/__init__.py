"""The web page for people: named queries as charts and tables, read-only, without a foreign host."""
