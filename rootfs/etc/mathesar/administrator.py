"""Creates the administrators of Mathesar, gives them new passwords and lists them, by Django's own rules.

Runs as Mathesar's user. What is asked comes as JSON in ADMINISTRATOR: arguments would be seen by everybody. The exit
code of a refusal says which field is meant, for the log may hide a word that is somebody's password."""
import json
import os
import sys

asked = json.loads(os.environ.pop('ADMINISTRATOR'))
sys.path.insert(0, os.getcwd())

import quick_import  # noqa: E402

quick_import.set_up_django()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.password_validation import validate_password  # noqa: E402
from django.core.exceptions import ValidationError  # noqa: E402
from django.db import Error, connection, transaction  # noqa: E402

User = get_user_model()


def say(text, file=sys.stdout):
    """What accounts are called must not drive the terminal of whoever lists them."""
    print(''.join(letter if letter.isprintable() else '?' for letter in text), file=file)


def refuse(field, why):
    say(f'ERROR {field}: {why}', sys.stderr)
    sys.exit({'username': 11, 'email': 12, 'password': 13}.get(field, 1))


def check(field, act):
    try:
        act()
    except ValidationError as error:
        if hasattr(error, 'error_dict'):
            field = next(iter(error.message_dict))
        refuse(field, ' '.join(error.messages))


def set_password(user):
    """Never an account without one: Django would take an empty password for none."""
    if not asked['password']:
        refuse('password', 'It is empty.')
    check('password', lambda: validate_password(asked['password'], user))
    user.set_password(asked['password'])


def create():
    user = User(
        username=User.normalize_username(asked['username']),
        email=User.objects.normalize_email(asked['email']),
        is_superuser=True,
        is_staff=True,
    )
    set_password(user)
    check('username', user.full_clean)
    user.save()
    say(f'{user.username} is an administrator')


def create_first():
    """Nobody else can create a user meanwhile: another container may have the same database."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            table = connection.ops.quote_name(User._meta.db_table)
            cursor.execute(f'LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE')
        if not User.objects.filter(is_superuser=True).exists():
            create()


def reset():
    user = User.objects.filter(username=asked['username'], is_superuser=True).first()
    if user is None:
        refuse('username', 'There is no administrator of this name.')
    set_password(user)
    if hasattr(user, 'password_change_needed'):
        user.password_change_needed = False
    user.save()
    say(f'{user.username} has a new password')


def show():
    for user in User.objects.filter(is_superuser=True).order_by('pk'):
        login = f'last login {user.last_login:%Y-%m-%d %H:%M} UTC' if user.last_login else 'never logged in'
        notes = [user.email, login, '' if user.is_active else 'not active']
        say(f'{user.username}  ({", ".join(filter(None, notes))})')


def make_sample_data():
    """What `databases.setup.create_new` does when the first administrator asks for it."""
    from mathesar.utils.permissions import set_up_new_database_for_user_on_internal_server as set_up

    set_up(asked['name'], None, User.objects.get(is_superuser=True), sample_data=asked['samples'])


try:
    {
        'create first': create_first,
        'create': create,
        'reset': reset,
        'list': show,
        'sample data': make_sample_data,
    }[asked['action']]()
except Error as error:
    refuse('database', str(error).strip().splitlines()[0])
