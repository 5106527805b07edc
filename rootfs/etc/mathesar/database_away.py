"""Answers 503 in place of Django's 500 while the database is away, such as while it fails over: whoever asked may ask again."""
import logging
import re
import sys
import threading

# Of PostgreSQL: a connection that broke; a server that stops, starts, or has no connection left; one that became a replica.
passing = re.compile('08|57P0[1-3]|53300|25006')
# What it says without a code when it lets nobody in. It will go on saying so.
refusal = re.compile('authentication failed|does not exist|no pg_hba.conf entry|permission denied|not permitted to log in|certificate')

door = '@database'  # where nginx goes on (`units/door/locations.ts`); without it, the text below is read


def is_away(error):
    """Whether it comes of a database that is usually back in a moment."""
    psycopg = sys.modules.get('psycopg')
    for _ in range(10):
        if error is None or psycopg is None:
            return False
        if isinstance(error, psycopg.Error):
            if error.sqlstate:
                return passing.match(error.sqlstate) is not None
            if isinstance(error, psycopg.OperationalError):
                return refusal.search(str(error)) is None
            return 'connection is closed' in str(error)
        error = error.__cause__ or error.__context__
    return False


class OneLine(logging.Filter):
    """Of a page that failed for want of the database: one line, not a traceback each."""
    def filter(self, record):
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if is_away(error):
            record.msg, record.args = '503 for %s: the database is away: %s', (record.request.path, ' '.join(str(error).split()))
            record.levelno, record.levelname, record.exc_info = logging.WARNING, 'WARNING', None
        return True


def answer_without_database(application):
    """The application, of which each answer is 503 that was to be 500 for want of the database."""
    from django.core.signals import got_request_exception

    here = threading.local()

    def see(**_):
        here.is_away = is_away(sys.exc_info()[1])

    got_request_exception.connect(see, weak=False)
    logging.getLogger('django.request').addFilter(OneLine())

    def answer(environ, start_response):
        here.is_away = False

        def start(*status_and_headers):
            return None if here.is_away else start_response(*status_and_headers)

        body = ()
        try:
            body = application(environ, start)
        except Exception as error:  # the page of an error may want the database, too
            if not is_away(error):
                raise
            here.is_away = True
        if not here.is_away:
            return body
        getattr(body, 'close', lambda: None)()
        headers = [('Retry-After', '2'), ('Cache-Control', 'no-store'), ('Content-Type', 'text/plain'), ('X-Accel-Redirect', door)]
        start_response('503 Service Unavailable', headers)
        return [b'The database of Mathesar is away. Ask again in a moment.\n']

    return answer
