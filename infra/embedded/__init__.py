"""Run PostgreSQL and Redis as child processes: private sockets, data under LOCALFN_HOME, no system packages."""
