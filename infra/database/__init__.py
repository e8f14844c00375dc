"""Check the PostgreSQL that the processes of localfn are about to use."""
