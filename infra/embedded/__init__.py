"""PostgreSQL and Redis as our own children: private sockets, data under LOCALFN_HOME, no system packages."""
