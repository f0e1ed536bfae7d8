"""The rules of alerts, and the life of one."""
