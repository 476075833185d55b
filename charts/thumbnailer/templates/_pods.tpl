{{/* Where a pod may run, where its values say so. Given the component's values. */}}
{{- define "thumbnailer.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ quote . }}
{{- end }}
{{- end }}

{{/* What all our pods share. Given root, user (its id) and values: the component's. */}}
{{- define "thumbnailer.pod" -}}
automountServiceAccountToken: false
# Kubernetes would add variables such as THUMBNAILER_PORT for a Service named thumbnailer.
enableServiceLinks: false
securityContext:
  {{- include "thumbnailer.podSecurityContext" .user | nindent 2 }}
{{- with include "thumbnailer.imagePullSecrets" . }}
{{ . }}
{{- end }}
{{- with include "thumbnailer.scheduling" .values | trim }}
{{ . }}
{{- end }}
{{- end }}

{{/* Probes of a program of ours; it may wait as long for its stores as THUMBNAILER_START_SECONDS. Given ready: the path that says so. */}}
{{- define "thumbnailer.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 180
livenessProbe:
  httpGet: {path: /healthz, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: {{ .ready | quote }}, port: health}
  periodSeconds: 3
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}

{{/*
Makes the tables, under a lock of the database: no hook, since a hook before the install has no bundled database yet, and
one after it would wait for pods that wait for the tables. Given root, component and settings.
*/}}
{{- define "thumbnailer.migrate" -}}
- name: migrate
  {{- include "thumbnailer.containerImage" (dict "root" .root "name" "api") | nindent 2 }}
  args: [thumbnailer-api, migrate]
  {{- include "thumbnailer.initContainer" . | nindent 2 }}
{{- end }}

{{- define "thumbnailer.initContainer" -}}
env:
  {{- include "thumbnailer.env" . | nindent 2 }}
securityContext:
  {{- include "thumbnailer.containerSecurityContext" . | nindent 2 }}
resources:
  requests: {cpu: 50m, memory: 128Mi}
  limits: {memory: 256Mi}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  {{- include "thumbnailer.databaseCaMount" .root | nindent 2 }}
{{- end }}
