"""How a user's files write values: a column's own evidence says what its numbers, moments and ids mean.

Every module here is pure: counts and mapping keys in, SQL expressions that write canonical text out. Canonical are
plain numbers (`1299.5`), ISO 8601 moments (`2026-09-30 14:22:05+02:00`) and ids without blanks around them.
"""
