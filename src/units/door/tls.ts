import type { Certificate } from '../results.ts'

const ciphers = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
]

/** Of the server: Mozilla's "intermediate" (5.7). */
export const tlsLines = ({ certificateFile, keyFile }: Certificate): readonly string[] => [
  '  http2 on;',
  `  ssl_certificate ${certificateFile};`,
  `  ssl_certificate_key ${keyFile};`,
  '  ssl_protocols TLSv1.2 TLSv1.3;',
  `  ssl_ciphers ${ciphers.join(':')};`,
  '  ssl_prefer_server_ciphers off;',
  '  ssl_ecdh_curve X25519:prime256v1:secp384r1;',
  '  ssl_session_cache shared:tls:2m;',
  '  ssl_session_timeout 1d;',
  '  ssl_session_tickets off;',
]
