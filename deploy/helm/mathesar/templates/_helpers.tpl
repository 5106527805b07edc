{{- define "mathesar.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "mathesar.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mathesar.labels" -}}
{{ include "mathesar.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | splitList "@" | first | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "mathesar.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "mathesar.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "mathesar.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* Where the DATABASE_URL is, for the replicas; the Job before an upgrade has a copy of what is given here. */}}
{{- define "mathesar.databaseSecret" -}}
{{- $made := printf "%s-database" (include "mathesar.name" .) | and .Values.database.url }}
{{- .Values.database.existingSecret.name | default $made | required "no database is given: database.existingSecret.name, database.url, or database.embedded=true" }}
{{- end }}

{{- define "mathesar.keySecret" -}}
{{- .Values.secretKey.existingSecret.name | default (printf "%s-key" (include "mathesar.name" .)) }}
{{- end }}

{{/* The names under which people come, as far as the chart knows them. */}}
{{- define "mathesar.hosts" -}}
{{- $hosts := list ".localhost" "127.0.0.1" "[::1]" "private" (include "mathesar.name" .) (printf "%s.%s" (include "mathesar.name" .) .Release.Namespace) (printf "%s.%s.svc" (include "mathesar.name" .) .Release.Namespace) }}
{{- if .Values.ingress.enabled }}{{ $hosts = concat $hosts .Values.ingress.hosts }}{{ end }}
{{- if .Values.gateway.enabled }}{{ $hosts = concat $hosts .Values.gateway.hosts }}{{ end }}
{{- join "," $hosts }}
{{- end }}

{{/* What the pods of a replica and of the Job share. */}}
{{- define "mathesar.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .Values.runAsUser }}
runAsGroup: 0
fsGroup: 0
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "mathesar.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "mathesar.environment" -}}
- name: PORT
  value: "8000"
- name: LOG_FORMAT
  value: {{ .Values.settings.LOG_FORMAT | default "json" | quote }}
- name: ON_FAILURE
  value: exit
- name: STOP_GRACE_PERIOD
  value: {{ .Values.terminationGracePeriodSeconds | quote }}
- name: DRAIN_DELAY
  value: {{ .Values.drainDelay | quote }}
{{- with .Values.publicUrl }}
- name: PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
- name: ALLOWED_HOSTS
  value: {{ .Values.settings.ALLOWED_HOSTS | default (include "mathesar.hosts" .) | quote }}
{{- range $name, $value := omit .Values.settings "LOG_FORMAT" "ALLOWED_HOSTS" }}
- name: {{ $name }}
  value: {{ kindIs "float64" $value | ternary (int64 $value) $value | toString | quote }}
{{- end }}
{{- range $name, $from := .Values.secretSettings }}
- name: {{ $name }}
  valueFrom: { secretKeyRef: { name: {{ $from.name | quote }}, key: {{ $from.key | quote }} } }
{{- end }}
- name: SECRET_KEY
  valueFrom: { secretKeyRef: { name: {{ include "mathesar.keySecret" . | quote }}, key: {{ .Values.secretKey.existingSecret.key | quote }} } }
{{- if not (hasKey .Values.secretSettings "SETUP_CODE") }}
- name: SETUP_CODE
  valueFrom: { secretKeyRef: { name: {{ include "mathesar.name" . }}-setup, key: SETUP_CODE } }
{{- end }}
{{- end }}

{{- define "mathesar.databaseEnvironment" -}}
- name: DATABASE_URL
  valueFrom: { secretKeyRef: { name: {{ .secret | quote }}, key: {{ .key | quote }} } }
{{- end }}

{{- define "mathesar.pod" -}}
metadata:
  labels:
    {{- include "mathesar.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- if .Values.database.url }}
    checksum/database: {{ .Values.database.url | sha256sum | quote }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    kubectl.kubernetes.io/default-container: mathesar
spec:
  serviceAccountName: {{ include "mathesar.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  securityContext: {{ include "mathesar.podSecurity" . | nindent 4 }}
  containers:
    - name: mathesar
      image: {{ include "mathesar.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      env:
        {{- include "mathesar.environment" . | nindent 8 }}
        {{- if not .Values.database.embedded }}
        {{- include "mathesar.databaseEnvironment" (dict "secret" (include "mathesar.databaseSecret" .) "key" .Values.database.existingSecret.key) | nindent 8 }}
        {{- end }}
      ports:
        - { name: http, containerPort: 8000, protocol: TCP }
      # A first migration may take a day; a restart would only begin it again.
      startupProbe: { httpGet: { path: /startupz, port: http }, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 43200 }
      {{- /* All replicas share a database. While that fails over each of them says so itself: a Service without any would
             refuse connections. One that is to end leaves the Service at once, whatever its probe says. */}}
      readinessProbe: { httpGet: { path: /readyz, port: http }, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 6 }
      livenessProbe: { httpGet: { path: /livez, port: http }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }
      resources: {{ toYaml .Values.resources | nindent 8 }}
      securityContext: {{ include "mathesar.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /var/lib/mathesar }
        {{- if .Values.media.existingClaim }}
        - { name: media, mountPath: /var/lib/mathesar/media }
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- if or (not .Values.database.embedded) .Values.media.existingClaim .Values.extraVolumes }}
  volumes:
    {{- if not .Values.database.embedded }}
    - { name: data, emptyDir: { sizeLimit: 2Gi } }
    {{- end }}
    {{- if .Values.media.existingClaim }}
    - { name: media, persistentVolumeClaim: { claimName: {{ .Values.media.existingClaim | quote }} } }
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector: { matchLabels: { {{- include "mathesar.selector" $ | replace "\n" ", " }} } }
    {{- end }}
    {{- end }}
{{- end }}
