"""Brings Mathesar's own SQL in the connected databases to this version, as its button "Upgrade" does.

A database that cannot be is a WARNING with the reason."""
import os
import signal
import sys
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

ATTEMPTS_AT_ONCE = 4
AT_MOST_S = 120  # a server may answer nothing, or hold a lock for ever


def known():
    from mathesar.models.base import Database

    return Database.objects


def forget_versions():
    """After another Mathesar no record of what a database has is believed. It stays so whatever cuts the rest off."""
    if os.environ.get('UPGRADE_ALL'):
        known().update(last_confirmed_sql_version='0.0.0')


def find_behind():
    databases = known().select_related('server').exclude(server__host=os.environ['PAST_HOST'])
    if os.environ.get('UPGRADE_ON_HOST'):
        databases = databases.filter(server__host=os.environ['UPGRADE_ON_HOST'])
    return [each for each in databases if each.needs_upgrade_attention]


def is_elsewhere(database):
    return database.server.host != os.environ['POSTGRES_HOST']


def upgrade(database):
    """Returns why it could not be."""
    from django.db import connection

    before = database.last_confirmed_sql_version
    try:
        database.install_sql()
        print(f'{database.name}: {before} → {database.last_confirmed_sql_version}', flush=True)
    except Exception as error:
        return next(iter(str(error).strip().splitlines()), '') or type(error).__name__
    finally:
        connection.close()


def bring(on_progress=lambda done, total: None):
    """Returns those that could not be, with why. Those on Mathesar's own server, which answers, are waited for; others no longer."""
    behind = find_behind()
    elsewhere_s = int(os.environ.get('ELSEWHERE_AT_MOST_S', AT_MOST_S))
    pool = ThreadPoolExecutor(ATTEMPTS_AT_ONCE)
    futures = {pool.submit(upgrade, each): each for each in sorted(behind, key=is_elsewhere)}
    pending = set(futures)
    began = time.monotonic()
    patience_s = AT_MOST_S
    while pending and time.monotonic() - began < patience_s:
        on_progress(len(futures) - len(pending), len(futures))
        pending = wait(pending, 1, FIRST_COMPLETED).not_done
        patience_s = elsewhere_s if all(is_elsewhere(futures[each]) for each in pending) else AT_MOST_S
    late = f'it takes longer than {patience_s} s'
    told = {database: late if future in pending else future.result() for future, database in futures.items()}
    return {database: why for database, why in told.items() if why is not None}


def end():
    """Leaves behind what still waits for a server."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == '__main__':
    sys.path.insert(0, os.getcwd())

    import quick_import

    quick_import.set_up_django()
    signal.alarm(AT_MOST_S + 30)
    forget_versions()
    for database, why in bring().items():
        print(f'WARNING database {database.name} on {database.server.host}: {why}')
    end()
