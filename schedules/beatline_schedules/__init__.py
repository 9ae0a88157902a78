"""Schedules in YAML."""
