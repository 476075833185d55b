{{/* Names of a pool's triggers, which are identifiers in its formula. Given root and pool; give JSON arrays. */}}
{{- define "thumbnailer.workers.depths" -}}
{{- $names := list -}}
{{- if eq .root.Values.queue.type "sql" -}}
{{- $names = list "depth" -}}
{{- else -}}
{{- range .pool.queues }}{{ $names = append $names (printf "depth_%s" (replace "-" "_" .)) }}{{ end -}}
{{- end -}}
{{- toJson $names -}}
{{- end }}
{{- define "thumbnailer.workers.ages" -}}
{{- $names := list -}}
{{- range .pool.queues }}{{ $names = append $names (printf "oldest_%s" (replace "-" "_" .)) }}{{ end -}}
{{- toJson $names -}}
{{- end }}

{{/* The triggers themselves. Given root, pool, and name: that of the Deployment and of its TriggerAuthentication. */}}
{{- define "thumbnailer.workers.triggers" -}}
{{- $scaling := printf "http://%s-housekeeper.%s.svc:8083/scaling" (include "thumbnailer.fullname" .root) .root.Release.Namespace -}}
{{- if eq .root.Values.queue.type "sql" }}
{{ include "thumbnailer.workers.sqlTrigger" . }}
{{- else }}
{{- range $queue := .pool.queues }}
{{ include "thumbnailer.workers.sqsTrigger" (merge (dict "queue" $queue) $) }}
{{- end }}
{{- end }}
{{- if or .pool.activation (not (kindIs "invalid" .pool.priceGate.openAfter)) }}
{{- range $queue := .pool.queues }}
- name: oldest_{{ replace "-" "_" $queue }}
  type: metrics-api
  metadata:
    url: {{ $scaling }}
    valueLocation: queues.{{ $queue }}.oldest
{{- end }}
{{- end }}
- name: pods
  type: kubernetes-workload
  metadata:
    podSelector: {{ include "thumbnailer.workers.podSelector" . }}
{{- if not (kindIs "invalid" .pool.priceGate.below) }}
- name: price
  type: metrics-api
  metadata:
    {{- with .pool.priceGate.source }}
    url: {{ default $scaling .url | quote }}
    valueLocation: {{ ternary .valueLocation (printf "prices.%s" (replace "." "\\." .spot)) (ne .url "") | quote }}
    {{- end }}
{{- end }}
{{- end }}

{{/* In-flight messages count (KEDA's default), or busy workers would be ended. Delayed ones are nobody's work yet. */}}
{{- define "thumbnailer.workers.sqsTrigger" -}}
{{- $queue := .root.Values.queue -}}
{{- $name := printf "%s-%s" $queue.prefix .queue -}}
- name: depth_{{ replace "-" "_" .queue }}
  type: aws-sqs-queue
  authenticationRef:
    name: {{ .name }}
  metadata:
    awsRegion: {{ include "thumbnailer.region" .root | quote }}
    {{- if .root.Values.elasticmq.enabled }}
    {{- $endpoint := printf "http://%s-elasticmq.%s.svc:9324" (include "thumbnailer.fullname" .root) .root.Release.Namespace }}
    awsEndpoint: {{ $endpoint }}
    queueURL: {{ $endpoint }}/000000000000/{{ $name }}
    {{- else if $queue.endpoint }}
    awsEndpoint: {{ quote $queue.endpoint }}
    queueURL: {{ printf "%s/%s/%s" (trimSuffix "/" $queue.endpoint) (default "000000000000" $queue.account) $name | quote }}
    {{- else }}
    queueURL: https://sqs.{{ include "thumbnailer.region" .root }}.amazonaws.com/{{ $queue.account }}/{{ $name }}
    {{- end }}
{{- end }}

{{/*
Pending and processing jobs, or busy workers would be ended. Not counted further than to where it makes no difference:
KEDA asks every few seconds, and there may be millions.
*/}}
{{- define "thumbnailer.workers.sqlTrigger" -}}
{{- $most := max (mul (int64 .pool.replicas.to) (int64 .pool.queueLength)) (int64 .pool.activation) -}}
- name: depth
  type: postgresql
  authenticationRef:
    name: {{ .name }}
  metadata:
    {{- if .root.Values.postgresql.enabled }}
    host: {{ include "thumbnailer.fullname" .root }}-postgresql.{{ .root.Release.Namespace }}.svc
    port: "5432"
    userName: thumbnailer
    dbName: thumbnailer
    sslmode: disable
    {{- else }}
    {{- with .root.Values.database }}
    host: {{ .host | quote }}
    port: {{ int64 .port | quote }}
    userName: {{ .user | quote }}
    dbName: {{ .name | quote }}
    # KEDA cannot be given our certificates: it encrypts, and checks where its own system knows the authority.
    sslmode: {{ ternary "require" .sslmode (ne .caSecret "") }}
    {{- end }}
    {{- end }}
    query: >-
      SELECT count(*) FROM (SELECT 1 FROM jobs WHERE queue IN ({{ range $n, $queue := .pool.queues }}{{ if $n }}, {{ end }}'{{ $queue }}'{{ end }})
      AND status IN ('pending', 'processing') LIMIT {{ add1 $most }}) AS unfinished
{{- end }}

{{- define "thumbnailer.workers.podSelector" -}}
{{- range $label, $value := include "thumbnailer.selectorLabels" (dict "root" .root "component" "worker") | fromYaml }}{{ $label }}={{ $value }},{{ end }}thumbnailer/pool={{ .pool.name }}
{{- end }}
