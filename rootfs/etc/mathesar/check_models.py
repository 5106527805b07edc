"""Reads what Mathesar keeps in a restored database through its own models, and has Django check it.

Runs as Mathesar's user. Where the database has all migrations, each model must have its table."""
import os
import signal
import sys

sys.path.insert(0, os.getcwd())

import quick_import  # noqa: E402

quick_import.set_up_django()

from django.apps import apps  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.migrations.executor import MigrationExecutor  # noqa: E402

signal.alarm(300)
call_command('check', databases=['default'])
executor = MigrationExecutor(connection)
is_current = not executor.migration_plan(executor.loader.graph.leaf_nodes())
tables = set(connection.introspection.table_names())
for model in apps.get_models():
    if model._meta.managed and (is_current or model._meta.db_table in tables):
        model._base_manager.count()
