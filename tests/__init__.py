"""A package, so that `tests.waiting` is found here: rq-dashboard installs a folder `tests` too."""
