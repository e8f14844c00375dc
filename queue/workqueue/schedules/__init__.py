"""Schedules: rows in `schedule` that create requests at their times.

Pure functions with the time as a parameter: calendar/ (cron, expression, time_zones, timetable, misfires), fields,
validation. With the database: edits, queries, next_run, firing, declarations. ticker is the loop that calls them.
"""
