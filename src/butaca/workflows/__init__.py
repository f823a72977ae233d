"""This room does what the commands do, without the commands: load, fit, judge, describe."""
