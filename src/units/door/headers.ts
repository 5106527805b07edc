/**
 * What Mathesar learns of a request. gunicorn believes whoever reaches it by a unix socket, so the door sets
 * or drops every header that it believes.
 */
export const headerLines = [
  'proxy_set_header Host $http_host;',
  'proxy_set_header X-Real-IP $remote_addr;',
  'proxy_set_header X-Forwarded-For $remote_addr;',
  'proxy_set_header X-Forwarded-Proto $forwarded_proto;',
  'proxy_set_header X-Forwarded-Protocol "";',
  'proxy_set_header X-Forwarded-Ssl "";',
  'proxy_set_header X-Forwarded-Host "";',
  'proxy_set_header X-Forwarded-Port "";',
  'proxy_set_header Forwarded "";',
  'proxy_set_header Proxy "";',
  // For the supervisor: what Mathesar took to accept this request before, "-" where it could not be reached.
  'proxy_set_header X-Connect-Time $upstream_connect_time;',
]
