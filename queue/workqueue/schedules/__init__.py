"""Schedules: rows in `schedule` that make requests at their times.

Pure, time is a parameter: cron, expression, zones, timetable, misfires. With the database: definition, checking,
editing, reading, planning, firing, declaring. With Redis: mirror. ticker is the loop that ties them together.
"""
