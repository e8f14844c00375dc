"""A package, so that `tests.support.waiting` is found here: rq-dashboard installs a folder `tests` too."""
