"""How gunicorn serves Mathesar. The number of workers comes from WEB_CONCURRENCY, which gunicorn reads; that of threads from WEB_THREADS."""
import contextlib
import faulthandler
import gc
import json
import os
import re
import runpy
import select
import signal
import sys
import threading
import time

from gunicorn.workers.sync import SyncWorker

here = os.path.dirname(__file__)
runpy.run_path(os.path.join(here, 'quick_import.py'))  # `when_ready` turns the collector on again
answer_without_database = runpy.run_path(os.path.join(here, 'database_away.py'))['answer_without_database']

# The socket comes from the supervisor as from systemd, as descriptor 3: gunicorn then leaves its path alone.
if 'MATHESAR_GATE_FD' in os.environ:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
timeout = int(os.environ.get('GUNICORN_TIMEOUT') or 300)  # an import of a large file takes minutes
graceful_timeout = timeout  # the supervisor has the shorter limits when it stops
# Heartbeat files: /dev/shm is writable also where the root is read-only, but not with `--ipc none`.
worker_tmp_dir = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
preload_app = True  # import once; the workers share the memory
threads = int(os.environ.get('WEB_THREADS') or 1)

# With a logconfig gunicorn logs each request: only where somebody asks for it.
access_level = 'INFO' if 'access-log' in os.environ.get('GUNICORN_CMD_ARGS', '') else 'WARNING'
logconfig_dict = {
    'version': 1,
    'disable_existing_loggers': False,
    'formatters': {'line': {'format': '%(levelname)s %(message)s'}},
    'handlers': {'stderr': {'class': 'logging.StreamHandler', 'formatter': 'line'}},
    'root': {'handlers': ['stderr'], 'level': 'INFO'},
    'loggers': {
        'gunicorn.error': {'handlers': ['stderr'], 'level': 'INFO', 'propagate': False},
        'gunicorn.access': {'handlers': ['stderr'], 'level': access_level, 'propagate': False},
    },
}


class ThreadedWorker(SyncWorker):
    """
    Answers as many requests at once as it has threads. One thread at a time waits for a connection, and reads what it takes: so none
    is taken that nobody would read at a stop, and none waits here for a slow one while another worker is free, as with gthread.
    """
    def run(self):
        for listener in self.sockets:
            listener.setblocking(False)
        self.turn = threading.Lock()
        self.busy = set()
        self.visitors = set()
        self.stopping, stop = os.pipe()
        workers = [threading.Thread(target=self.work, daemon=True) for _ in range(self.cfg.threads)]
        for worker in workers:
            worker.start()
        while self.alive and self.is_parent_alive():
            if self.visitors:
                tell_of_visitor()
            if len(self.busy) < len(workers):  # as long as all are busy, the last one that began counts: gunicorn ends what hangs
                self.notify()
            if select.select([self.PIPE[0]], [], [], 1)[0]:
                os.read(self.PIPE[0], 64)
        os.close(stop)
        deadline = time.monotonic() + self.cfg.graceful_timeout
        for worker in workers:
            worker.join(max(0, deadline - time.monotonic()))

    def work(self):
        try:
            while self.alive:
                with self.turn:
                    taken = self.take()
                if taken is None:
                    return
                self.handle(*taken)
                self.busy.discard(threading.get_ident())
        except Exception:
            self.log.exception('a thread of a worker ended: another worker takes its place')
            self.alive = False

    def take(self):
        """Wait for a connection. None when the worker stops."""
        while True:
            ready = select.select([*self.sockets, self.stopping], [], [])[0]
            if self.stopping in ready:
                return None
            for listener in ready:
                with contextlib.suppress(BlockingIOError, ConnectionAbortedError):  # another worker was faster
                    client, address = listener.accept()
                    client.setblocking(True)
                    self.busy.add(threading.get_ident())
                    self.notify()
                    return listener, client, address


worker_class = ThreadedWorker


class PrivateHosts(str):
    """Stands for every address of a private network in ALLOWED_HOSTS, which Django compares by == alone."""
    def lower(self):
        return self

    def __eq__(self, host):
        return re.search(os.environ['MATHESAR_PRIVATE_HOSTS'], host) is not None

    __hash__ = str.__hash__


class PermittedHosts(list):
    """ALLOWED_HOSTS as the supervisor's file has them at each request: a change of them takes no new process."""
    seen = None
    hosts = ()

    def look(self):
        with contextlib.suppress(OSError):  # what was read last stays
            path = os.environ['MATHESAR_HOSTS_FILE']
            there = os.stat(path)
            if (there.st_ino, there.st_mtime_ns) != self.seen:
                with open(path) as file:
                    there = os.fstat(file.fileno())
                    hosts = file.read().split(',')
                self.hosts = tuple(PrivateHosts(host) if host == 'private' else host for host in hosts)
                self.seen = there.st_ino, there.st_mtime_ns
        return self.hosts

    def __iter__(self):
        return iter(self.look())

    def __len__(self):
        return len(self.look())

    def __contains__(self, host):
        return host in self.look()


def when_ready(server):
    """Load once what else the first request of each worker would: the views. And keep the collector off it, which would copy every page."""
    from django.conf import settings
    from django.urls import get_resolver
    settings.ALLOWED_HOSTS = PermittedHosts()
    get_resolver().url_patterns
    with contextlib.suppress(Exception):  # to say so must not keep Mathesar from starting
        why, _ = why_providers_lack()
        if why:
            server.log.warning('%s', why)
    gc.freeze()
    gc.enable()


def post_fork(server, worker):
    """Until a worker has handlers of its own, a SIGTERM to it lands in its copy of the arbiter's queue, which nobody would read."""
    worker.early_signals = server.SIG_QUEUE
    die_first()


def die_first():
    """Makes the kernel kill a worker before its arbiter when memory runs out, where that can be set."""
    with contextlib.suppress(KeyError, OSError), open('/proc/self/oom_score_adj', 'w') as file:
        file.write(os.environ['MATHESAR_WORKER_OOM_SCORE_ADJ'])


def was_told_early(worker):
    queue = worker.early_signals
    if isinstance(queue, list):
        return signal.SIGTERM in queue
    return any(queue.get() == signal.SIGTERM for _ in range(queue.qsize()))  # gunicorn 24 and later: a SimpleQueue


def tell_of_visitor():
    """The supervisor looks when somebody last came (SLEEP_AFTER)."""
    with contextlib.suppress(KeyError, OSError):
        os.utime(os.environ['MATHESAR_ACTIVITY_FILE'])


def pre_request(worker, request):
    if ('HOST', os.environ.get('MATHESAR_CHECK_HOST')) not in request.headers:
        worker.visitors.add(threading.get_ident())
        tell_of_visitor()


def post_request(worker, request, environ, response):
    if threading.get_ident() in worker.visitors:
        worker.visitors.discard(threading.get_ident())
        tell_of_visitor()


def worker_abort(worker):
    """Its threads were busy for too long: say with what."""
    faulthandler.dump_traceback()


def worker_exit(server, worker):
    """A worker that was told to finish has finished. Taking its interpreter apart would only copy the shared memory, for seconds under load."""
    if worker.booted and not worker.alive and not worker.aborted:
        os._exit(0)


def providers_given():
    """How many providers of single sign-on somebody configured, whatever they are worth. The JSON wins, as in Mathesar."""
    for name in ('SSO_CONFIG_DICT', 'OIDC_CONFIG_DICT'):
        config = json.loads(os.environ.get(name) or '{}')
        if config:
            break
    else:
        with contextlib.suppress(FileNotFoundError), open('sso.yml', 'rb') as file:
            import yaml
            config = yaml.full_load(file) or {}
    providers = config.get('oidc_providers' if config.get('version', 1) == 1 else 'providers') or {}
    return sum(1 for provider in providers.values() if provider)


def why_providers_lack():
    """Whether Mathesar left out providers, which it does without a word, and whether none is left: its own settings tell."""
    from django.conf import settings
    given = providers_given()
    used = sum(len(kind.get('APPS', ())) for kind in getattr(settings, 'SOCIALACCOUNT_PROVIDERS', {}).values())
    why = f'single sign-on: Mathesar uses {used} of {given} providers: the others lack a part, or their type is none that it knows'
    return (why if used < given else None), given > 0 and used == 0


def check_itself(wsgi):
    """What GET /auth/login/ answers here, asked of the application without a socket; or after `!` why nobody need ask."""
    why, is_none_left = why_providers_lack()
    if is_none_left:
        return f'! {why}\n'
    from wsgiref.util import setup_testing_defaults
    environ = {'PATH_INFO': '/auth/login/', 'HTTP_HOST': os.environ['MATHESAR_CHECK_HOST'], 'HTTP_USER_AGENT': 'supervisor'}
    setup_testing_defaults(environ)
    answer = {}
    body = wsgi(environ, lambda status, headers, exc_info=None: answer.update(status=status, **dict(headers)))
    getattr(body, 'close', lambda: None)()
    return f"{answer['status'].split()[0]} {answer.get('Location', '')}\n"


def post_worker_init(worker):
    """Serve only when the supervisor opens the gate: it closes its end of the pipe, and we read EOF. Until then, `?` asks for a check."""
    worker.wsgi = answer_without_database(worker.wsgi)
    if was_told_early(worker):
        worker.alive = False
    gate = os.environ.get('MATHESAR_GATE_FD')
    while gate and worker.alive and os.getppid() == worker.ppid:
        if select.select([int(gate)], [], [], 0.2)[0]:
            if os.read(int(gate), 1) == b'':
                return
            os.write(int(os.environ['MATHESAR_ANSWER_FD']), check_itself(worker.wsgi).encode())
        worker.notify()  # else the arbiter takes us for hung
