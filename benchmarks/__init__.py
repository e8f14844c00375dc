"""Measure localfn: `./dev bench NAME` runs one benchmark. Figures depend on the machine; tests are elsewhere."""
