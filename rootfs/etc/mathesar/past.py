"""Has Mathesar know the databases of a moment that is gone, on a server of their own, or no longer.

They are those of today that were there, with the same collaborators, roles and settings of tables."""
import os
import signal
import sys

sys.path.insert(0, os.getcwd())

import quick_import  # noqa: E402

quick_import.set_up_django()

import psycopg  # noqa: E402
from django.db import transaction  # noqa: E402
from mathesar.models import base  # noqa: E402

signal.alarm(120)
host = os.environ['PAST_HOST']


def copy(row, **changes):
    row.pk = None
    row._state.adding = True
    for name, value in changes.items():
        setattr(row, name, value)
    row.save()
    return row


def names_there():
    with psycopg.connect(host=host, dbname=os.environ['POSTGRES_DB'], user=os.environ['POSTGRES_USER']) as there:
        return [name for (name,) in there.execute('SELECT datname FROM pg_catalog.pg_database')]


@transaction.atomic
def add(label):
    today = base.Server.objects.filter(host=os.environ['POSTGRES_HOST']).first()
    if today is None:
        return
    databases = list(base.Database.objects.filter(server=today, name__in=names_there()))
    roles = list(base.ConfiguredRole.objects.filter(server=today))
    server = copy(today, host=host, port=None)
    role_of = {role.pk: copy(role, server=server) for role in roles}
    for database in databases:
        add_database(database, server, role_of, label)


def add_database(database, server, role_of, label):
    number, name = database.pk, database.nickname or database.name
    past = copy(database, server=server, nickname=f'{name}, {label}')
    for who in base.UserDatabaseRoleMap.objects.filter(database=number):
        copy(who, database=past, configured_role=role_of[who.configured_role_id], server=server)
    for model in (base.TableMetaData, base.ColumnMetaData):
        for row in model.objects.filter(database=number):
            copy(row, database=past)


base.Server.objects.filter(host=host).delete()
if sys.argv[1] == 'add':
    add(sys.argv[2])
