"""What Alembic runs for every command: the package's own environment.

Typed by hand, `alembic upgrade head` goes through the same target, lock, guard and checks as
`dhafnck-db schema upgrade`.
"""

from dhafnck_db.environment import run

run()
