"""Start, watch and stop the processes of `localfn up`."""
