{{/*
What is refused before anything is deployed, where values.schema.json cannot say it: the list. Each gives sentences, one
a line, with the value and what to do; all are shown at once.
*/}}
{{- define "thumbnailer.refusals" -}}
{{- include "thumbnailer.refuse.release" . }}
{{- include "thumbnailer.refuse.stores" . }}
{{- include "thumbnailer.refuse.stores.external" . }}
{{- include "thumbnailer.refuse.regions" . }}
{{- include "thumbnailer.refuse.awsKeys" . }}
{{- include "thumbnailer.refuse.auth" . }}
{{- include "thumbnailer.refuse.secrets" . }}
{{- include "thumbnailer.refuse.lostPassword" . }}
{{- include "thumbnailer.refuse.api" . }}
{{- include "thumbnailer.refuse.settings" . }}
{{- include "thumbnailer.refuse.extraEnv" . }}
{{- include "thumbnailer.refuse.kinds" . }}
{{- include "thumbnailer.workers.refusals" . }}
{{- include "thumbnailer.monitoring.refusals" . }}
{{- end }}

{{/* A Service is named like the release, and Kubernetes lets it begin with a letter only. */}}
{{- define "thumbnailer.refuse.release" }}
{{- $fullname := include "thumbnailer.fullname" . }}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $fullname) }}
The release {{ .Release.Name }} would make a Service named {{ $fullname }}, and such a name begins with a letter and ends with a letter or digit: choose another release name, or set fullnameOverride.
{{- end }}
{{- end }}

{{/* Each store is bundled or external: not both, not neither. */}}
{{- define "thumbnailer.refuse.stores" }}
{{- range $store := list
  (dict "bundled" "postgresql" "external" "database.host" "value" .Values.database.host)
  (dict "bundled" "minio" "external" "objects.bucket" "value" .Values.objects.bucket)
  (dict "bundled" "elasticmq" "external" "queue.type" "value" .Values.queue.type) }}
{{- $enabled := (index $.Values $store.bundled).enabled }}
{{- if and $enabled $store.value }}
{{ $store.external }} is {{ quote $store.value }}, and {{ $store.bundled }}.enabled is true: set {{ $store.bundled }}.enabled=false, or leave {{ $store.external }} empty.
{{- else if not (or $enabled $store.value) }}
{{ $store.bundled }}.enabled is false, and {{ $store.external }} is empty: set one of them.
{{- end }}
{{- end }}
{{- end }}

{{- define "thumbnailer.refuse.stores.external" }}
{{- range $part, $bundled := dict "objects" "minio" "queue" "elasticmq" }}
{{- range $name := list "endpoint" "region" "existingSecret" }}
{{- if and (index $.Values $bundled).enabled (index $.Values $part $name) }}
{{ $part }}.{{ $name }} is for an external store, and {{ $bundled }}.enabled is true: leave it empty, or set {{ $bundled }}.enabled=false.
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.database.host }}
{{- if not .Values.database.existingSecret }}
database.existingSecret is empty: name a Secret with the password of {{ .Values.database.user }} at {{ .Values.database.host }}, as {{ .Values.database.passwordKey }}.
{{- end }}
{{- if and (hasPrefix "verify-" .Values.database.sslmode) (not .Values.database.caSecret) }}
database.sslmode is {{ .Values.database.sslmode }}, and database.caSecret is empty: name a Secret with the certificates to check against, as ca.crt.
{{- end }}
{{- end }}
{{- end }}

{{/* boto3 has one region for both. */}}
{{- define "thumbnailer.refuse.regions" }}
{{- $queue := ternary .Values.queue (dict "region" "" "endpoint" "none") (eq .Values.queue.type "sqs") }}
{{- $objects := ternary (dict "region" "" "endpoint" "none") .Values.objects .Values.minio.enabled }}
{{- if and $objects.region $queue.region (ne $objects.region $queue.region) }}
objects.region is {{ $objects.region }} and queue.region is {{ $queue.region }}: both have to be in one region.
{{- else if not (or $objects.region $queue.region) }}
{{- if not $objects.endpoint }}
objects.region is empty: name the region of the bucket.
{{- end }}
{{- if not $queue.endpoint }}
queue.region is empty: name the region of the queues.
{{- end }}
{{- end }}
{{- end }}

{{/* And one pair of keys, or a role, for both. ElasticMQ, and what stands at queue.endpoint without keys, takes any. */}}
{{- define "thumbnailer.refuse.awsKeys" }}
{{- $queue := .Values.queue }}
{{- if and (eq $queue.type "sqs") (or $queue.existingSecret (not $queue.endpoint)) }}
{{- if .Values.minio.enabled }}
queue.type is sqs, and minio.enabled is true: a program has one pair of keys for S3 and SQS, and MinIO has its own. Use an external S3, or queue.type=sql.
{{- else if ne .Values.objects.existingSecret $queue.existingSecret }}
objects.existingSecret is {{ quote .Values.objects.existingSecret }} and queue.existingSecret is {{ quote $queue.existingSecret }}: a program has one pair of keys for S3 and SQS. Name the same Secret in both, or none for the roles of the service accounts.
{{- end }}
{{- end }}
{{- end }}

{{- define "thumbnailer.refuse.auth" }}
{{- with .Values.auth }}
{{- if and (eq .mode "nobody") (not .insecureNoAuth) }}
auth.mode is nobody: whoever reaches the Service may use it. Say so with auth.insecureNoAuth=true, or use auth.mode=keys.
{{- end }}
{{- if and (eq .mode "keys") .insecureNoAuth }}
auth.insecureNoAuth is true, and auth.mode is keys: set auth.mode=nobody to ask for no key, or leave insecureNoAuth out.
{{- end }}
{{- if and (eq .mode "nobody") .firstKey.existingSecret }}
auth.firstKey.existingSecret is {{ .firstKey.existingSecret }}, and auth.mode is nobody, which has no keys: set auth.mode=keys, or leave it empty.
{{- end }}
{{- if and .oidc.issuer (eq .mode "nobody") }}
auth.oidc.issuer is {{ .oidc.issuer }}, and auth.mode is nobody: set auth.mode=keys, or leave it empty.
{{- end }}
{{- if ne (empty .oidc.issuer) (empty .oidc.audience) }}
auth.oidc.issuer is {{ quote .oidc.issuer }} and auth.oidc.audience is {{ quote .oidc.audience }}: set both, or tokens that are meant for other services would be taken.
{{- end }}
{{- if and .oidc.jwksUrl (not .oidc.issuer) }}
auth.oidc.jwksUrl is {{ .oidc.jwksUrl }}, and auth.oidc.issuer is empty: name the issuer whose keys they are.
{{- end }}
{{- end }}
{{- end }}

{{- define "thumbnailer.refuse.secrets" }}
{{- if not .Values.secrets.generate }}
{{- range $secret := list
  (dict "wanted" .Values.postgresql.enabled "value" "postgresql.existingSecret" "name" .Values.postgresql.existingSecret "entries" .Values.postgresql.passwordKey)
  (dict "wanted" .Values.minio.enabled "value" "minio.existingSecret" "name" .Values.minio.existingSecret
    "entries" (printf "%s and %s" .Values.minio.accessKeyIdKey .Values.minio.secretAccessKeyKey))
  (dict "wanted" (eq .Values.auth.mode "keys") "value" "auth.firstKey.existingSecret" "name" .Values.auth.firstKey.existingSecret
    "entries" (printf "%s: thn_ and 40 random letters and digits" .Values.auth.firstKey.key)) }}
{{- if and $secret.wanted (not $secret.name) }}
secrets.generate is false, and {{ $secret.value }} is empty: name a Secret that holds {{ $secret.entries }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
A database has the password with which it was made, whatever a new Secret says, and programs that run would notice only
at their next start. Offline renderings see neither Secrets nor volumes, and so refuse nothing here.
*/}}
{{- define "thumbnailer.refuse.lostPassword" }}
{{- if and .Values.postgresql.enabled (not .Values.postgresql.existingSecret) }}
{{- $name := printf "%s-postgresql" (include "thumbnailer.fullname" .) }}
{{- if and (include "thumbnailer.isMissing" (dict "root" . "name" $name "key" .Values.postgresql.passwordKey))
  (lookup "v1" "PersistentVolumeClaim" .Release.Namespace (printf "data-%s-0" $name)) }}
The Secret {{ $name }} has no entry {{ .Values.postgresql.passwordKey }}, and the volume data-{{ $name }}-0 is there, whose database has its password from it: restore it, or name a Secret with that password as postgresql.existingSecret. If the password is lost, name one with a new password, and tell the database: kubectl exec --namespace {{ .Release.Namespace }} {{ $name }}-0 -- psql --username thumbnailer --command "ALTER USER thumbnailer PASSWORD '...'". Or delete the volume, with all jobs.
{{- end }}
{{- end }}
{{- end }}

{{- define "thumbnailer.refuse.api" }}
{{- with .Values.api }}
{{- if and .hpa.enabled (gt (int .hpa.from) (int .hpa.to)) }}
api.hpa.from is {{ .hpa.from }}, more than api.hpa.to, which is {{ .hpa.to }}.
{{- end }}
{{- if and .hpa.enabled (not (dig "requests" "cpu" "" .resources)) }}
api.hpa.enabled is true, and api.resources.requests.cpu is not set: the HPA measures against it.
{{- end }}
{{- if and .ingress.enabled (not .ingress.hosts) }}
api.ingress.hosts is empty: name at least one host.
{{- end }}
{{- if and .httpRoute.enabled (not .httpRoute.parentRefs) }}
api.httpRoute.parentRefs is empty: name the Gateway that the route hangs on.
{{- end }}
{{- end }}
{{- end }}

{{/* What the chart sets, and by which value, if any; pools refuse those of theirs themselves. */}}
{{- define "thumbnailer.ownedSettings" -}}
{{- toYaml (dict
  "OIDC_ISSUER" "auth.oidc" "OIDC_AUDIENCE" "auth.oidc" "OIDC_JWKS_URL" "auth.oidc" "OIDC_SCOPES" "auth.oidc" "OIDC_OWNER_CLAIM" "auth.oidc"
  "OIDC_OWNER_PREFIX" "auth.oidc" "OIDC_SCOPE_CLAIM" "auth.oidc" "OIDC_SCOPE_PREFIX" "auth.oidc" "OWNER_REQUESTS_PER_MINUTE" "auth.limits"
  "OWNER_JOBS_WAITING" "auth.limits" "OWNER_BYTES_PER_DAY" "auth.limits" "AUTH" "auth.mode" "INSECURE_NO_AUTH" "auth.insecureNoAuth" "DATABASE" "database" "OBJECTS" "objects" "QUEUE" "queue"
  "QUEUE_LIMIT" "elasticmq.queueLimit" "CREATE_BUCKET" "minio.enabled" "CLASSES" "workers.pools" "SPOT_PRICES" "housekeeper.spotPrices"
  "START_SECONDS" "" "HOST" "" "DATA" "" "PORT" "api.service.port" "PRESETS" "api.presets"
  "SECRET_KEYS" "webhooks.existingSecret" "WEBHOOK_PORTS" "webhooks.ports" "WEBHOOK_NETWORKS" "webhooks.networks" "WEBHOOK_INSECURE_HTTP" "webhooks.insecureHttp"
  "API_HEALTH_PORT" "" "HOUSEKEEPER_HEALTH_PORT" "" "WORKER_HEALTH_PORT" "" "DRAIN_SECONDS" "api.drainSeconds") -}}
{{- end }}

{{- define "thumbnailer.refuse.settings" }}
{{- $owned := include "thumbnailer.ownedSettings" . | fromYaml }}
{{- $pools := dict "QUEUES" "queues" "BORROWS" "borrows" "CONCURRENCY" "concurrency" "CHILD_MEMORY_MIB" "childMemoryMiB" "CHILD_CPU_SECONDS" "childCpuSeconds" "SCRATCH" "scratch" }}
{{- $all := dict "GRACE_SECONDS" "api.graceSeconds, or graceSeconds of a pool" }}
{{- range $setting, $value := $pools }}
{{- $_ := set $all $setting (printf "workers.defaults.%s, or that of a pool" $value) }}
{{- end }}
{{- $all = merge $all $owned }}
{{- $scopes := list (list "settings" .Values.settings $all) (list "api.settings" .Values.api.settings $all)
  (list "housekeeper.settings" .Values.housekeeper.settings $all) }}
{{- range $name, $pool := include "thumbnailer.workers.pools" . | fromJson }}
{{- $scopes = append $scopes (list (printf "workers.pools.%s.settings" $name) $pool.settings $owned) }}
{{- end }}
{{- range $scope := $scopes }}
{{- range $setting, $value := index $scope 1 }}
{{- if hasKey (index $scope 2) $setting }}
{{ index $scope 0 }}.{{ $setting }} is set by the chart: {{ with index (index $scope 2) $setting }}use {{ . }}{{ else }}leave it out{{ end }}.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A variable that stands twice is undefined. */}}
{{- define "thumbnailer.refuse.extraEnv" }}
{{- $ours := list }}
{{- range include "thumbnailer.env" (dict "root" . "component" "api") | fromYamlArray }}
{{- $ours = append $ours .name }}
{{- end }}
{{- $scopes := dict "api" .Values.api "housekeeper" .Values.housekeeper }}
{{- range $name, $pool := include "thumbnailer.workers.pools" . | fromJson }}
{{- $_ := set $scopes (printf "workers.pools.%s" $name) $pool }}
{{- end }}
{{- range $scope, $values := $scopes }}
{{- range $values.extraEnv }}
{{- if hasPrefix "THUMBNAILER_" .name }}
{{ $scope }}.extraEnv has {{ .name }}: use {{ $scope }}.settings.{{ trimPrefix "THUMBNAILER_" .name }}.
{{- else if has .name $ours }}
{{ $scope }}.extraEnv has {{ .name }}, which the chart sets from database, objects and queue: change it there.
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Only where there is a cluster to ask: offline renderings know no kinds, and so not v1/Pod either. */}}
{{- define "thumbnailer.refuse.kinds" }}
{{- $apis := .Capabilities.APIVersions }}
{{- if $apis.Has "v1/Pod" }}
{{- if and .Values.api.httpRoute.enabled (not ($apis.Has "gateway.networking.k8s.io/v1/HTTPRoute")) }}
api.httpRoute.enabled is true, and this cluster has no Gateway API: install it, or use api.ingress.
{{- end }}
{{- range $kind, $values := dict "PodMonitor" .Values.monitoring.podMonitor "ServiceMonitor" .Values.monitoring.serviceMonitor "PrometheusRule" .Values.monitoring.rules }}
{{- if and $values.enabled (not ($apis.Has (printf "monitoring.coreos.com/v1/%s" $kind))) }}
monitoring asks for a {{ $kind }}, and this cluster has no Prometheus operator: install it, or turn that off.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
