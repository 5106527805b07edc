"""Brings Mathesar's own SQL in the connected databases to this version, as its button "Upgrade" does.

A database that cannot be is a WARNING with the reason."""
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

ATTEMPTS_AT_ONCE = 4


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


def bring(seconds, on_progress=lambda done, total: None):
    """Returns those that could not be, with why. What takes longer goes on as long as this process does."""
    behind = find_behind()
    pool = ThreadPoolExecutor(ATTEMPTS_AT_ONCE)
    futures = {pool.submit(upgrade, each): each for each in behind}
    failed = dict.fromkeys(behind, f'it took longer than {seconds} s')
    on_progress(0, len(behind))
    try:
        for done, future in enumerate(as_completed(futures, seconds), 1):
            on_progress(done, len(behind))
            database = futures[future]
            failed[database] = future.result()
    except TimeoutError:  # a server may answer nothing, or hold a lock for ever
        pass
    return {each: why for each, why in failed.items() if why is not None}


def end():
    """Leaves behind what still waits for a server."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == '__main__':
    sys.path.insert(0, os.getcwd())

    import quick_import

    quick_import.set_up_django()
    forget_versions()
    for database, why in bring(120).items():
        print(f'WARNING database {database.name} on {database.server.host}: {why}')
    end()
