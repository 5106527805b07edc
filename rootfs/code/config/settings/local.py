"""What the image adds to Mathesar's settings. Mathesar imports this file last, if it is there."""
import os

from config.settings.common_settings import DATABASES, MIDDLEWARE

# Without this, Django in production shows no traceback of a 500, no refused Host, no refused CSRF token.
LOGGING = {
    'version': 1,
    'disable_existing_loggers': False,
    'formatters': {'line': {'format': '%(levelname)s %(name)s: %(message)s'}},
    'handlers': {'stderr': {'class': 'logging.StreamHandler', 'formatter': 'line'}},
    'root': {'handlers': ['stderr'], 'level': 'INFO'},
    # No handler of its own: each line goes up to the root, and is written once.
    'loggers': {'django': {'handlers': [], 'level': 'INFO', 'propagate': True}},
}

# Where nginx serves the static files, WhiteNoise would still read hundreds of them at each start: a tenth of the import.
if os.environ.get('MATHESAR_STATIC_FILES') == 'door':
    MIDDLEWARE = [name for name in MIDDLEWARE if name != 'whitenoise.middleware.WhiteNoiseMiddleware']

# Mathesar 0.10.1 reads POSTGRES_SSLMODE and then overwrites the options that it was put in. It has no word for the others.
for option in ('sslmode', 'sslrootcert', 'channel_binding'):
    value = os.environ.get(f'POSTGRES_{option.upper()}')
    if value and 'default' in DATABASES:
        DATABASES['default'].setdefault('OPTIONS', {})[option] = value

if os.environ.get('CSRF_TRUSTED_ORIGINS'):
    CSRF_TRUSTED_ORIGINS = [
        origin.strip() for origin in os.environ['CSRF_TRUSTED_ORIGINS'].split(',') if origin.strip()
    ]
