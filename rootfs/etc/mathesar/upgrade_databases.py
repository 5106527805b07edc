"""Brings Mathesar's own SQL in the connected databases to this version, as its button "Upgrade" does.

A database that cannot be is a WARNING with the reason."""
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.getcwd())

import quick_import  # noqa: E402

quick_import.set_up_django()

from django.db import connection  # noqa: E402
from mathesar.models.base import Database  # noqa: E402

ATTEMPTS_AT_ONCE = 4
signal.alarm(120)  # a server may answer nothing, or hold a lock for ever


def upgrade(database):
    before = database.last_confirmed_sql_version
    try:
        database.install_sql()
        print(f'{database.name}: {before} → {database.last_confirmed_sql_version}', flush=True)
    except Exception as error:
        why = next(iter(str(error).strip().splitlines()), '') or type(error).__name__
        print(f'WARNING database {database.name} on {database.server.host}: {why}', flush=True)
    finally:
        connection.close()


if os.environ.get('UPGRADE_ALL'):  # kept as such by whatever cuts this off
    Database.objects.update(last_confirmed_sql_version='0.0.0')
databases = Database.objects.select_related('server')
if os.environ.get('UPGRADE_ON_HOST'):
    databases = databases.filter(server__host=os.environ['UPGRADE_ON_HOST'])
behind = [each for each in databases if each.needs_upgrade_attention]
with ThreadPoolExecutor(ATTEMPTS_AT_ONCE) as pool:
    list(pool.map(upgrade, behind))
