{{/*
The environment of every program: its stores, and the settings that users give. Given root and component (api, worker,
housekeeper), and maybe settings: those of the component or pool, which go before `.Values.settings`.
*/}}
{{- define "thumbnailer.env" -}}
{{- $values := .root.Values -}}
- name: THUMBNAILER_DATABASE
  value: {{ include "thumbnailer.databaseAddress" .root | quote }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef: {{ include "thumbnailer.databaseSecret" .root | fromYaml | toJson }}
- name: THUMBNAILER_OBJECTS
  value: {{ ternary "s3://thumbnailer" (printf "s3://%s" (list $values.objects.bucket $values.objects.prefix | compact | join "/")) $values.minio.enabled | quote }}
{{- if $values.minio.enabled }}
- name: THUMBNAILER_CREATE_BUCKET
  value: "yes"
{{- end }}
- name: THUMBNAILER_QUEUE
  value: {{ ternary "sql:" (printf "sqs://%s" $values.queue.prefix) (eq $values.queue.type "sql") | quote }}
{{- if $values.elasticmq.enabled }}
- name: THUMBNAILER_QUEUE_LIMIT
  value: {{ include "thumbnailer.string" $values.elasticmq.queueLimit | quote }}
{{- end }}
{{- range $name, $value := include "thumbnailer.awsEnv" .root | fromYaml }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- with include "thumbnailer.awsSecret" .root | fromYaml }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef: {{ dict "name" .name "key" .accessKeyIdKey | toJson }}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef: {{ dict "name" .name "key" .secretAccessKeyKey | toJson }}
{{- end }}
- name: THUMBNAILER_START_SECONDS
  value: "300"
{{- with include "thumbnailer.workers.classes" .root }}
- name: THUMBNAILER_CLASSES
  value: {{ quote . }}
{{- end }}
{{- range $name, $value := merge dict (default dict .settings) $values.settings }}
- name: THUMBNAILER_{{ $name }}
  value: {{ include "thumbnailer.string" $value | quote }}
{{- end }}
{{- end }}

{{/* What API and housekeeper know of webhooks; workers know nothing of them, and so hold no key to their secrets. */}}
{{- define "thumbnailer.webhooksEnv" -}}
{{- with .Values.webhooks -}}
{{- with include "thumbnailer.secretKeysSecret" $ -}}
- name: THUMBNAILER_SECRET_KEYS
  valueFrom:
    secretKeyRef: {{ dict "name" . "key" $.Values.webhooks.key | toJson }}
{{ end -}}
- name: THUMBNAILER_WEBHOOK_PORTS
  value: {{ join "," .ports | quote }}
{{- with .networks }}
- name: THUMBNAILER_WEBHOOK_NETWORKS
  value: {{ join "," . | quote }}
{{- end }}
{{- if .insecureHttp }}
- name: THUMBNAILER_WEBHOOK_INSECURE_HTTP
  value: "yes"
{{- end }}
{{- end }}
{{- end }}

{{/* Whose tokens are taken beside keys, and how much each owner may ask for: what the API alone is told. */}}
{{- define "thumbnailer.callersEnv" -}}
{{- $told := dict }}
{{- with .Values.auth.oidc }}
{{- if .issuer }}
{{- $told = dict "OIDC_ISSUER" .issuer "OIDC_AUDIENCE" .audience "OIDC_JWKS_URL" .jwksUrl "OIDC_SCOPES" (join "," .scopes)
  "OIDC_OWNER_CLAIM" .ownerClaim "OIDC_OWNER_PREFIX" .ownerPrefix "OIDC_SCOPE_CLAIM" .scopeClaim "OIDC_SCOPE_PREFIX" .scopePrefix }}
{{- end }}
{{- end }}
{{- with .Values.auth.limits }}
{{- $told = merge $told (dict "OWNER_REQUESTS_PER_MINUTE" .requestsPerMinute "OWNER_JOBS_WAITING" .jobsWaiting "OWNER_BYTES_PER_DAY" .bytesPerDay) }}
{{- end }}
{{- range $name, $value := $told }}
{{- if $value }}
- name: THUMBNAILER_{{ $name }}
  value: {{ include "thumbnailer.string" $value | quote }}
{{- end }}
{{- end }}
{{- end }}

{{/* Helm reads whole numbers as floats, and would write 1e+08. */}}
{{- define "thumbnailer.string" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end }}

{{/* Presets as the API reads them: `avatar: size=128x128; card: size=400x300`. */}}
{{- define "thumbnailer.presets" -}}
{{- $all := list -}}
{{- range $name, $output := . -}}{{- $all = append $all (printf "%s: %s" $name $output) -}}{{- end -}}
{{- join "; " $all -}}
{{- end }}

{{- define "thumbnailer.databaseAddress" -}}
{{- if .Values.postgresql.enabled -}}
postgresql+psycopg://thumbnailer@{{ include "thumbnailer.fullname" . }}-postgresql/thumbnailer
{{- else -}}
{{- with .Values.database -}}
postgresql+psycopg://{{ .user }}@{{ .host }}:{{ .port }}/{{ .name }}?sslmode={{ .sslmode }}{{ if .caSecret }}&sslrootcert=/etc/database-ca/ca.crt{{ end }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Where the database's password is: name and key, as YAML. */}}
{{- define "thumbnailer.databaseSecret" -}}
{{- if .Values.postgresql.enabled -}}
name: {{ default (printf "%s-postgresql" (include "thumbnailer.fullname" .)) .Values.postgresql.existingSecret | quote }}
key: {{ quote .Values.postgresql.passwordKey }}
{{- else -}}
name: {{ quote .Values.database.existingSecret }}
key: {{ quote .Values.database.passwordKey }}
{{- end -}}
{{- end }}

{{/*
Where the keys for S3 and SQS are: name, accessKeyIdKey and secretAccessKeyKey, as YAML; empty: programs have a role.
boto3 takes one pair for both; ElasticMQ takes any.
*/}}
{{- define "thumbnailer.awsSecret" -}}
{{- $from := dict -}}
{{- if .Values.minio.enabled -}}
{{- $from = dict "name" (default (printf "%s-minio" (include "thumbnailer.fullname" .)) .Values.minio.existingSecret) "keys" .Values.minio -}}
{{- else if .Values.objects.existingSecret -}}
{{- $from = dict "name" .Values.objects.existingSecret "keys" .Values.objects -}}
{{- else if and (eq .Values.queue.type "sqs") .Values.queue.existingSecret -}}
{{- $from = dict "name" .Values.queue.existingSecret "keys" .Values.queue -}}
{{- end -}}
{{- if $from -}}
name: {{ quote $from.name }}
accessKeyIdKey: {{ quote $from.keys.accessKeyIdKey }}
secretAccessKeyKey: {{ quote $from.keys.secretAccessKeyKey }}
{{- end -}}
{{- end }}

{{/* boto3's own settings, as a YAML map. */}}
{{- define "thumbnailer.awsEnv" -}}
{{- $fullname := include "thumbnailer.fullname" . -}}
AWS_REGION: {{ include "thumbnailer.region" . | quote }}
{{- if .Values.minio.enabled }}
AWS_ENDPOINT_URL_S3: http://{{ $fullname }}-minio:9000
{{- else if .Values.objects.endpoint }}
AWS_ENDPOINT_URL_S3: {{ quote .Values.objects.endpoint }}
{{- end }}
{{- if .Values.elasticmq.enabled }}
AWS_ENDPOINT_URL_SQS: http://{{ $fullname }}-elasticmq:9324
{{- else if and (eq .Values.queue.type "sqs") .Values.queue.endpoint }}
AWS_ENDPOINT_URL_SQS: {{ quote .Values.queue.endpoint }}
{{- end }}
{{- end }}

{{/* One region for both: where only one is named, or both the same. */}}
{{- define "thumbnailer.region" -}}
{{- $queue := ternary .Values.queue.region "" (eq .Values.queue.type "sqs") -}}
{{- $objects := ternary "" .Values.objects.region .Values.minio.enabled -}}
{{- coalesce $queue $objects "us-east-1" -}}
{{- end }}

{{/* The volume and mount that `database.caSecret` asks for in every program's pod. */}}
{{- define "thumbnailer.databaseCaVolume" -}}
{{- if and (not .Values.postgresql.enabled) .Values.database.caSecret -}}
- name: database-ca
  secret:
    secretName: {{ quote .Values.database.caSecret }}
{{- end -}}
{{- end }}
{{- define "thumbnailer.databaseCaMount" -}}
{{- if and (not .Values.postgresql.enabled) .Values.database.caSecret -}}
- name: database-ca
  mountPath: /etc/database-ca
  readOnly: true
{{- end -}}
{{- end }}
