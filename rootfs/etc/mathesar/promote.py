"""Tells Mathesar that its server is another one, and connects there by every password that it stores.

`move` writes; `try` only connects, to compare. A line is a connection that does not come about.
`passwords` tells those that are stored, a role a line."""
import json
import os
import signal
import sys

sys.path.insert(0, os.getcwd())

import django  # noqa: E402

django.setup()

from django.db import transaction  # noqa: E402
from django.db.models import Q  # noqa: E402
from mathesar.models import base  # noqa: E402

signal.alarm(300)
port = int(os.environ['SERVER_BEFORE_PORT'])
servers = base.Server.objects.filter(host=os.environ['SERVER_BEFORE'])
if 'port' in {field.name for field in base.Server._meta.get_fields()}:
    servers = servers.filter(Q(port=port) | Q(port=None) if port == 5432 else Q(port=port))
if sys.argv[1] == 'passwords':
    for role in base.ConfiguredRole.objects.filter(server__in=servers):
        if role.password:
            print(json.dumps([role.name, role.password]))
    sys.exit()


@transaction.atomic
def move(server):
    fields = {field.name for field in base.Server._meta.get_fields()}
    server.host = os.environ['POSTGRES_HOST']
    if 'port' in fields:
        server.port = int(os.environ['POSTGRES_PORT'])
    if 'sslmode' in fields:
        # Mathesar knows these three.
        modes = {'disable': 'disable', 'require': 'require', 'verify-ca': 'require', 'verify-full': 'require'}
        server.sslmode = modes.get(os.environ.get('POSTGRES_SSLMODE'), 'prefer')
    server.save()
    for role in base.ConfiguredRole.objects.filter(server=server, name=os.environ['POSTGRES_USER']):
        role.password = os.environ['POSTGRES_PASSWORD']
        role.save()


def why_not(role_map):
    try:
        with role_map.connection as connection:
            connection.execute('SELECT 1')
    except Exception as error:
        return type(error).__name__


moved = [server.pk for server in servers]
if sys.argv[1] == 'move':
    for server in servers:
        move(server)
for role_map in base.UserDatabaseRoleMap.objects.filter(server__in=moved):
    why = why_not(role_map)
    if why:
        print(f'{role_map.configured_role.name} in {role_map.database.name} ({why})')
