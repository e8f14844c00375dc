"""Statistics for operators. Nothing here changes a request.

minute_rollup: counts per minute and function. histogram: percentiles of durations. queue_depth: waiting requests by
queue. time_series: data for charts. problems, problem_texts: current problems. highlights: requests shown by name.
overview: a cached snapshot of all of this for the web process. The cost of every query is bounded, however large the
tables are.
"""
