import { requestMark } from '../../core/door-lines.ts'
import type { Settings } from '../../settings/typed.ts'

const requestFields = [
  requestMark,
  '$remote_addr',
  '$request_method',
  '$request_path',
  '$status',
  '$request_time',
  '$body_bytes_sent',
]

/**
 * One line a request, for `core/door-lines.ts`. The query may hold secrets: it is left out. The pipe is read
 * at any time, so that nobody waits for it.
 */
export const accessLines = ({ ACCESS_LOG }: Pick<Settings, 'ACCESS_LOG'>): readonly string[] =>
  ACCESS_LOG
    ? [
        'map $request_uri $request_path { "~^([^?]{0,500})" $1; }',
        `log_format requests escape=json '${requestFields.join('\t')}';`,
        'access_log /dev/stdout requests;',
      ]
    : ['access_log off;']
