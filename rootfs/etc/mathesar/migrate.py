"""Migrates Mathesar's internal database, all of it or nothing, and brings the SQL of the connected databases along.

Where it is stands in the connection's application_name, which the supervisor reads. The traceback of a failure is logged at level
debug; the last line begins with ERROR. The exit code is 1 where nothing was changed, 2 where it may be."""
import contextlib
import os
import sys
import traceback

sys.path.insert(0, os.getcwd())
os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.production')

import quick_import
import user_databases
from django.core.management import call_command
from django.core.management.commands import migrate
from django.db import DataError, Error, connection, transaction
from django.db.migrations import AlterField
from django.db.migrations.executor import MigrationExecutor


def say_where(it_is):
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [it_is])


class Migrate(migrate.Command):
    """Django's own, which also says where it is."""

    def __init__(self, total):
        super().__init__()
        self.total = total
        self.done = 0
        self.current = None
        self.migration = None

    def migration_progress_callback(self, action, migration=None, fake=False):
        if action == 'apply_start':
            self.current = str(migration)
            self.migration = migration
            say_where(f'migration {self.done + 1} of {self.total}: {self.current}')
        elif action == 'apply_success':
            self.current = None
            self.done += 1
            # Postgres alters no table while checks of its changed rows are put off to the end of the transaction.
            if connection.in_atomic_block:
                connection.check_constraints()
        super().migration_progress_callback(action, migration, fake)


def reason_of(error):
    """One line. The DETAIL that names a key and its value is told; the one that shows a whole row is not."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    if not isinstance(error, Error):
        return f'{type(error).__name__}: {first}'
    detail = getattr(getattr(error.__cause__, 'diag', None), 'message_detail', None) or ''
    return f'{first}: {detail.splitlines()[0]}' if detail.startswith('Key ') else first


def rows_too_long(migration):
    """Where a value has more letters than its column is to hold: Postgres does not say it."""
    state = executor.loader.project_state((migration.app_label, migration.name)).apps
    for operation in migration.operations:
        limit = getattr(getattr(operation, 'field', None), 'max_length', None)
        if not isinstance(operation, AlterField) or not limit:
            continue
        options = state.get_model(migration.app_label, operation.model_name)._meta
        table, key, column = (
            connection.ops.quote_name(name)
            for name in (options.db_table, options.pk.column, options.get_field(operation.name).column)
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f'SELECT {key}::text, char_length({column}::text) FROM {table} WHERE char_length({column}::text) > %s LIMIT 3', [limit]
            )
            for row, length in cursor.fetchall():
                yield f'{table}.{column} has {length} letters where {key} is {row}, and may have {limit}'


def with_rows(error, migration):
    """Names the rows where they can be found."""
    rows = []
    if isinstance(error, DataError) and migration is not None:
        with contextlib.suppress(Exception):
            rows = list(rows_too_long(migration))
    return '; '.join([reason_of(error), *rows])


quick_import.set_up_django()
executor = MigrationExecutor(connection)
plan = [migration for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]
apart = [str(migration) for migration in plan if not migration.atomic]
if apart:
    print(f'WARNING the migrations are not carried out as one: {", ".join(apart)} cannot be in a transaction')
command = Migrate(len(plan))
try:
    with contextlib.nullcontext() if apart else transaction.atomic():
        call_command(command)
        user_databases.forget_versions()
except Exception as error:
    print(flush=True)  # Django's own line is not finished.
    why = ''.join(traceback.format_exception(error)).replace('\n', '\n  ')
    print(f'DEBUG the traceback of the migrations:\n  {why}', file=sys.stderr)
    print(f'ERROR {command.current or "migrate"}: {with_rows(error, command.migration)}', file=sys.stderr)
    sys.exit(2 if apart else 1)
with contextlib.suppress(Exception):  # the supervisor tries again what fails, and says why
    user_databases.bring(lambda done, total: say_where(f'connected databases: {done} of {total} have the SQL of this version'))
user_databases.end()
