"""What Mathesar's own parsers make of a proposed sso.yml, file_storage.yml or login_page.yml, or of the same as JSON, before it gets them.

Runs as Mathesar's user, for that is whose code reads them. Prints no value: only names, lines and reasons. The last line of a
failure begins with ERROR."""
import json
import os
import re
import sys

import yaml


class Refused(Exception):
    pass


class Loader(yaml.FullLoader):
    """The loader of Mathesar. A value that its type does not permit, such as the date 2023-13-45, gets its line."""

    def construct_object(self, node, deep=False):
        try:
            return super().construct_object(node, deep)
        except (TypeError, ValueError, OverflowError):
            why = 'a value begins as a date, a number or the like, and is none: put it in quotes'
            raise yaml.constructor.ConstructorError(problem=why, problem_mark=node.start_mark) from None


def parse_yaml(text):
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        # What stands between quotes may be a part of a secret.
        why = re.sub(r"'[^']{2,}'", '…', re.sub(r'"[^"]{2,}"', '…', str(error.problem)))
        mark = error.problem_mark or error.context_mark
        raise Refused(f'{f", line {mark.line + 1}" if mark else ""}: Mathesar cannot read it as YAML: {why}') from None
    except yaml.YAMLError:
        raise Refused(': Mathesar cannot read it as YAML: it holds a character that YAML does not permit') from None


def shown(name):
    return re.sub('[^ -~]', '?', str(name)[:80])


def check_storage(backends):
    """As Mathesar does it for each page of whoever is logged in, and for a file."""
    for name, backend in backends.items():
        if not isinstance(name, str) or not isinstance(backend, dict):
            raise Refused(f': {shown(name)} must be a name with a mapping')
        access = backend.get('public_form_access', {})
        if not isinstance(access, dict):
            raise Refused(f': public_form_access of {shown(name)} must be a mapping')
        json.dumps(access.get('enabled', True))
        lacks = [key for key in ('protocol', 'prefix', 'kwargs') if backend.get(key) is None]
        if lacks:
            yield f'the backend {shown(name)} lacks {", ".join(lacks)}: Mathesar cannot store files there'
    if backends and 'default' not in backends:
        yield 'it has no backend "default", which Mathesar stores new files in'


def check_sso(config):
    """What becomes of the providers is for Mathesar to say, once it has started: see gunicorn.conf.py."""
    key = 'oidc_providers' if config.get('version', 1) == 1 else 'providers'
    if config and not isinstance(config.get(key, ()), (dict, type(None))):
        raise Refused(f': it has no mapping {key}')
    return ()


def check_login_page(config):
    """Mathesar takes the texts that it finds, and says nothing of the others."""
    for key in config:
        if key not in ('heading', 'body', 'translations'):
            yield f'Mathesar 0.12 reads no {shown(key)} there'
    translations = config.get('translations') or {}
    if not isinstance(translations, dict):
        raise Refused(': translations must be a mapping')
    for of, texts in (('', config), *((f' of {shown(language)}', texts) for language, texts in translations.items())):
        if not isinstance(texts, dict):
            raise Refused(f': translations{of} must be a mapping')
        for key in ('heading', 'body'):
            if not isinstance(texts.get(key), (str, type(None))):
                raise Refused(f': {key}{of} is no text: put it in quotes')
    for language in translations:
        if not isinstance(language, str):
            raise Refused(f': the language {shown(language)} is no text: put it in quotes')


def check(name, text):
    value = (json.loads if name.endswith('_DICT') else parse_yaml)(text)
    if not isinstance(value, dict):
        raise Refused(': it must be a mapping')
    checks = {'storage': check_storage, 'login': check_login_page}
    for warning in next((check for word, check in checks.items() if word in name.lower()), check_sso)(value):
        print(f'WARNING {name}: {warning}')


for variable, text in os.environ.items():
    name = variable.removeprefix('PROPOSED_')
    if name == variable:
        continue
    try:
        check(name, text)
    except Refused as error:
        sys.exit(f'ERROR {name}{error}')
    except RecursionError:
        sys.exit(f'ERROR {name}: it is nested too deep for Mathesar')
    except Exception as error:
        sys.exit(f'ERROR {name}: Mathesar cannot read it: {type(error).__name__}')
