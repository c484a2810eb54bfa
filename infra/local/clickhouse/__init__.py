"""The ClickHouse engine (chdb) behind ClickHouse's HTTP interface, for one machine.

Clients cannot tell it from a server for what this project uses; production uses a server.
"""
