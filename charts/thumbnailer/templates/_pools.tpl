{{/* A pool as it is meant: the defaults, and what it says itself. Given root and name; gives YAML. */}}
{{- define "thumbnailer.pool" -}}
{{- toYaml (mergeOverwrite (deepCopy .root.Values.workers.defaults) (index .root.Values.workers.pools .name)) -}}
{{- end }}

{{/* Names of the pools that are on, sorted. Given root; gives a JSON array: `include ... | fromJsonArray`. */}}
{{- define "thumbnailer.enabledPools" -}}
{{- $names := list -}}
{{- range $name := keys .root.Values.workers.pools | sortAlpha -}}
{{- if (include "thumbnailer.pool" (dict "root" $.root "name" $name) | fromYaml).enabled -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}
{{- toJson $names -}}
{{- end }}

{{/* Queues that an enabled pool serves, sorted. Given root; gives a JSON array. */}}
{{- define "thumbnailer.servedQueues" -}}
{{- $queues := list -}}
{{- range $name := include "thumbnailer.enabledPools" . | fromJsonArray -}}
{{- $queues = concat $queues (include "thumbnailer.pool" (dict "root" $.root "name" $name) | fromYaml).queues -}}
{{- end -}}
{{- $queues | uniq | sortAlpha | toJson -}}
{{- end }}

{{/* Classes of one's own: queues that are no priority. Given root; gives a JSON array. */}}
{{- define "thumbnailer.classes" -}}
{{- without (include "thumbnailer.servedQueues" . | fromJsonArray) "express" "standard" "economy" | toJson -}}
{{- end }}
